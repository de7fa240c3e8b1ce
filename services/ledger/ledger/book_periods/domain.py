"""Periods: what a merchant has closed takes no more postings."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid


class PeriodAction(StrEnum):
    CLOSE = "close"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class PeriodChange:
    """Who moved the line between closed and open, and why. `closed_until` None: all is open."""

    id: UUID
    action: PeriodAction
    closed_until: datetime | None
    before: datetime | None
    reason: str
    requested_by: str
    changed_at: datetime


class PeriodClosed(Conflict):
    """The time of the transaction is in a closed period: date it later, or reopen the period."""

    code = "period_closed"


class NotForward(Invalid):
    """Closing moves the end of what is closed forward, and not past now; read it at GET
    /v1/periods.
    """

    code = "period_not_forward"


class NotBack(Invalid):
    """Reopening moves the end of what is closed back; read it at GET /v1/periods."""

    code = "period_not_back"
