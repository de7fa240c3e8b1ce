"""Reviews: a person decides what the rules would not."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, NotFound

BULK_MAX = 200
TIME_LIMIT = "time limit"
"""Who decided, when nobody did in time."""


class ReviewStatus(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    LAPSED = "lapsed"
    """The order was cancelled or expired before anybody decided."""


class Act(StrEnum):
    """What the audit log of reviews knows."""

    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    NOTED = "noted"
    APPROVED = "approved"
    DECLINED = "declined"
    LAPSED = "lapsed"
    REOPENED = "reopened"


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
    assignee: str | None
    due_at: datetime | None
    """When the merchant's policy decides; None: it waits as long as it takes."""
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class ReviewOpening:
    """An assessment that needs a person."""

    merchant_id: UUID
    order_id: UUID
    assessment_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class ReviewAct:
    """An entry of the audit log: who did what with a review, when and why."""

    id: UUID
    review_id: UUID
    at: datetime
    actor: str
    act: Act
    note: str


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which reviews are asked for; None is any."""

    status: ReviewStatus | None = None
    order_id: UUID | None = None
    assignee: str | None = None
    is_overdue: bool | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None


class BulkResult(StrEnum):
    """What became of one review of many."""

    DECIDED = "decided"
    CLOSED = "closed"
    """Somebody decided it before."""
    NOT_FOUND = "not_found"


class ReviewNotFound(NotFound):
    """There is no such review, or it is not yours."""

    code = "review_not_found"


class ReviewClosed(Conflict):
    """Somebody decided this review already; the first decision stands."""

    code = "review_closed"
