"""The vocabulary rules are written in: what is known about a purchase when it is judged.

A fact is one `FactKind`. Whoever knows facts lists them beside the code that finds them (a
`FactSource`); `app.py` puts the lists together into one `Catalogue`. Counts over sliding windows
are not listed: their names say what they are (`risk.counts`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from risk.counts import DISTINCT_MAX, CountFact, CountRefused, KeyKind, read_count, window_text

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)

FactValue = bool | int | str | tuple[str, ...] | tuple[int, ...] | datetime


class FactType(StrEnum):
    """How a fact is typed inside a condition (the names of CEL)."""

    BOOL = "bool"
    INT = "int"
    STRING = "string"
    STRINGS = "list(string)"
    INTS = "list(int)"
    TIMESTAMP = "timestamp"


_UNKNOWN: Mapping[FactType, FactValue] = {
    FactType.BOOL: False,
    FactType.INT: 0,
    FactType.STRING: "",
    FactType.STRINGS: (),
    FactType.INTS: (),
    FactType.TIMESTAMP: UNKNOWN_TIME,
}


@dataclass(frozen=True, slots=True)
class FactKind:
    """A fact's entry in the catalogue. What is not known has the value `unknown`."""

    name: str
    type: FactType
    meaning: str
    default: FactValue | None = None
    """When the type's own empty value would say the wrong thing."""
    by: KeyKind | None = None
    """What purchases have in common that are counted for it: they take turns, once a rule asks."""
    most: int | None = None
    """More is counted as so much: a condition that compares with it, or with more, is refused."""

    @property
    def unknown(self) -> FactValue:
        return _UNKNOWN[self.type] if self.default is None else self.default


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one purchase; what is left out has its kind's unknown value."""

    catalogue: "Catalogue"
    values: Mapping[str, FactValue] = field(default_factory=dict)

    def __getitem__(self, name: str) -> FactValue:
        """Raises KeyError for what is no fact."""
        found = self.values.get(name)
        return self.catalogue.kind(name).unknown if found is None else found

    def record(self) -> dict[str, Any]:
        """Name -> value as JSON knows it: every plain fact, and the counts that were made."""
        return self.catalogue.unknown | {
            name: as_json(value) for name, value in self.values.items() if value is not None
        }


class Catalogue:
    """All facts there are."""

    def __init__(self, *groups: Iterable[FactKind]) -> None:
        self.plain: dict[str, FactKind] = {}
        for kind in (kind for group in groups for kind in group):
            if kind.name in self.plain or _is_count(kind.name):
                raise ValueError(f"fact {kind.name} is there already")
            self.plain[kind.name] = kind
        self.unknown = {name: as_json(kind.unknown) for name, kind in self.plain.items()}
        """Name -> value as JSON knows it, of plain facts of which nothing is known."""

    def find(self, name: str) -> FactKind | None:
        """A plain fact, or a count by its name; None for what is neither."""
        kind = self.plain.get(name)
        if kind is None and _is_count(name):
            return _count_kind(name)
        return kind

    def kind(self, name: str) -> FactKind:
        """Raises KeyError for what is no fact."""
        kind = self.find(name)
        if kind is None:
            raise KeyError(name)
        return kind

    def kinds_of(self, names: Iterable[str]) -> frozenset[KeyKind]:
        """By what the plain facts among these count."""
        plain = (self.plain.get(name) for name in names)
        return frozenset(it.by for it in plain if it is not None and it.by is not None)

    def hint(self, name: str) -> str:
        """What the writer of an unknown name may have meant; empty when nothing is near."""
        if "_by_" in name:
            try:
                read_count(name)
            except CountRefused as refused:
                return str(refused)
        near = get_close_matches(name, self.plain, n=1)
        return f"did you mean '{near[0]}'?" if near else ""

    def facts(self, values: Mapping[str, FactValue]) -> Facts:
        """Raises KeyError for a name that is no fact, ValueError for a value of another type."""
        for name, value in values.items():
            if not _fits(self.kind(name).type, value):
                raise ValueError(name)
        return Facts(self, values)

    def recorded(self, record: Mapping[str, Any]) -> Facts:
        """Facts as `Facts.record` wrote them; what is no fact any more is left out."""
        values = {}
        for name, value in record.items():
            kind = self.find(name)
            if kind is not None:
                values[name] = _from_json(kind.type, value)
        return Facts(self, values)


def counts_of(names: Sequence[str]) -> list[CountFact]:
    """Those of the names that are counts."""
    return [read_count(name) for name in names if _is_count(name)]


def _is_count(name: str) -> bool:
    if "_by_" not in name:
        return False
    try:
        read_count(name)
    except CountRefused:
        return False
    return True


def _count_kind(name: str) -> FactKind:
    count = read_count(name)
    meaning = f"{count.measure.meaning} by this {count.key.thing} in {window_text(count.seconds)}"
    most = None if count.measure.of is None else DISTINCT_MAX
    return FactKind(name, FactType.INT, meaning, most=most)


_PYTHON: Mapping[FactType, type] = {
    FactType.BOOL: bool,
    FactType.INT: int,
    FactType.STRING: str,
    FactType.STRINGS: str,
    FactType.INTS: int,
    FactType.TIMESTAMP: datetime,
}
_INT_MAX = 2**63 - 1


def _fits(kind: FactType, value: FactValue) -> bool:
    if kind in (FactType.STRINGS, FactType.INTS):
        return isinstance(value, tuple) and all(_is_one(_PYTHON[kind], it) for it in value)
    return _is_one(_PYTHON[kind], value)


def _is_one(wanted: type, value: object) -> bool:
    if wanted is int:
        return type(value) is int and abs(value) <= _INT_MAX
    return isinstance(value, wanted)


def as_json(value: FactValue) -> Any:
    """As JSON knows it."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _from_json(kind: FactType, value: Any) -> FactValue:
    if kind is FactType.TIMESTAMP:
        return datetime.fromisoformat(value)
    read: FactValue = tuple(value) if isinstance(value, list) else value
    return read
