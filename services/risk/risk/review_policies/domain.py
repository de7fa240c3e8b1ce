"""What a merchant wants when nobody decides: a review nobody looked at, a code nobody showed."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class AfterTime(StrEnum):
    """What becomes of a review that waited for so long."""

    KEEP = "keep"
    """It waits on, marked as overdue."""
    APPROVE = "approve"
    DECLINE = "decline"


class FallBack(StrEnum):
    """What becomes of an order whose buyer did not show the code."""

    HOLD = "hold"
    """A person decides."""
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    merchant_id: UUID
    review_minutes: int | None = None
    """How long a review may wait; None: as long as it takes."""
    after_time: AfterTime = AfterTime.KEEP
    challenge_fall_back: FallBack = FallBack.HOLD
