from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model, Timestamp
from ledger.book_periods.domain import PeriodAction, PeriodChange

Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class PeriodClose(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"until": "2026-01-01T00:00:00Z", "reason": "Year 2025 is audited"}]
        }
    )

    until: Annotated[Timestamp, Field(description="what is before this moment is closed")]
    reason: Reason


class PeriodReopen(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"until": None, "reason": "An invoice of December was forgotten"}]
        }
    )

    until: Annotated[
        Timestamp | None, Field(description="what is before it stays closed; null: nothing")
    ] = None
    reason: Reason


class PeriodChangeRead(Model):
    id: UUID
    action: PeriodAction
    closed_until: datetime | None
    before: datetime | None = Field(description="until when it was closed before")
    reason: str
    requested_by: str
    changed_at: datetime

    @classmethod
    def from_domain(cls, change: PeriodChange) -> Self:
        return cls(
            id=change.id,
            action=change.action,
            closed_until=change.closed_until,
            before=change.before,
            reason=change.reason,
            requested_by=change.requested_by,
            changed_at=change.changed_at,
        )
