"""Reviews: a person decides what the rules would not."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, NotFound


class ReviewStatus(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    LAPSED = "lapsed"
    """The order was cancelled or expired before anybody decided."""


@dataclass(frozen=True, slots=True)
class Review:
    id: UUID
    merchant_id: UUID
    order_id: UUID
    assessment_id: UUID
    status: ReviewStatus
    reason: str
    """Why it waits: the rules that asked for it, with their values."""
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    note: str


@dataclass(frozen=True, slots=True)
class ReviewOpening:
    """An assessment that needs a person."""

    merchant_id: UUID
    order_id: UUID
    assessment_id: UUID
    reason: str


class ReviewNotFound(NotFound):
    """There is no such review, or it is not yours."""

    code = "review_not_found"


class ReviewClosed(Conflict):
    """Somebody decided this review already; the first decision stands."""

    code = "review_closed"
