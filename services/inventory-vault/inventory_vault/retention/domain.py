"""When the box of a unit is overwritten, and how a long backlog is cut into rounds."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

SLICE_SECONDS_MAX = 2**31
"""68 years: the first round looks at everything since 1970 within 20 steps."""


class Source(StrEnum):
    """Why a unit is not needed any more."""

    SALE = "sale"
    WITHDRAWN = "withdrawn"
    LOT = "lot"


class Doomed(NamedTuple):
    """A unit whose time is over."""

    lot_id: UUID
    seq: int
    merchant_id: UUID


class Shredded(NamedTuple):
    """A unit whose box is overwritten now."""

    lot_id: UUID
    unit_id: UUID


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that a round looks at: behind `after`, up to `until`."""

    after: datetime
    until: datetime
    slice_seconds: int
    is_last: bool
    """It ends where the retention time begins."""

    def next(self, found: int, limit: int) -> "Window":
        """What to remember for the next round. A full batch has more behind it: the same beginning
        again, with half of the length, so that no round reads much more than it shreds.
        """
        if found >= limit:
            return Window(self.after, self.after, max(1, self.slice_seconds // 2), is_last=False)
        seconds = self.slice_seconds
        if found < limit // 4 and not self.is_last:
            seconds = min(seconds * 2, SLICE_SECONDS_MAX)
        return Window(self.until, self.until, seconds, self.is_last)


@dataclass(frozen=True, slots=True)
class DeadLot:
    """A lot that is void or expired as a whole, and what is done of it."""

    lot_id: UUID
    merchant_id: UUID
    through_seq: int
    saw_held: bool
