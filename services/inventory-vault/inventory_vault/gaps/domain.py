"""Units taken ahead of the cursor: those that stay valid long enough for a request."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FittingLot:
    """A lot with units that are valid long enough: those from `fit_seq` on, by their number."""

    id: UUID
    next_seq: int
    fit_seq: int
    # Where to look first: at or behind `fit_seq` and the cursor, past a known run of gaps.
    from_seq: int


@dataclass(frozen=True, slots=True)
class Taken:
    """How many units a lot gave, and which of them lay ahead of its cursor."""

    units: int
    first_ahead: int | None
    last_ahead: int | None
