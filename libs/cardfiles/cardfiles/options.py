"""What a caller may say about a file instead of letting it be found out."""

from collections.abc import Mapping
from dataclasses import dataclass

ENCODINGS = ("utf-8", "gb18030", "gbk", "utf-16")

SEPARATOR_NAMES = {"tab": "\t", "space": " "}
"""Separators that are hard to type into a form, by name; all others stand for themselves."""

SEPARATORS = ("----", "\t", ";", "|", ",")
"""Those that are found without being named, the surest first."""

SEPARATORS_NAMED = (*SEPARATORS, " ", "║")

POSITION_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Options:
    """Each None is found out from the file.

    `columns`: our field (`code`, `number`, `password`, `url`, `image`, `cost`, `expiry`,
    `capacity`) to a header's name or a position from 1. `has_header`: whether the first row is one.
    `capacity`: how often a reusable unit may be sold where its line does not say.
    """

    encoding: str | None = None
    separator: str | None = None
    columns: Mapping[str, str | int] | None = None
    has_header: bool | None = None
    capacity: int = 1
