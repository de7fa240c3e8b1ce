"""A short code that proves that whoever asks also reads the buyer's mail or phone."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from fulfillment.templates.domain import Channel
from kit.errors import Limited

DIGITS = 6


class Verdict(StrEnum):
    """`gone`: there is no code, it has expired, was used, or was guessed at too often: begin
    again.
    """

    RIGHT = "right"
    WRONG = "wrong"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class CodeRules:
    """`again_after`: no second sending to one subject before; `sends_max` in one `window`, and
    `per_contact_max` to one address, whatever they are for and whoever's order it is.
    """

    life: timedelta
    tries_max: int
    again_after: timedelta
    sends_max: int
    window: timedelta
    per_contact_max: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """A code is on its way: by `channel` to `target` (a mask)."""

    id: UUID
    channel: Channel
    target: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Verified:
    verdict: Verdict
    tries_left: int = 0


def new_code() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


class TooManyCodes(Limited):
    """A code was sent a moment ago, or too many were; wait as Retry-After says."""

    code = "too_many_codes"
