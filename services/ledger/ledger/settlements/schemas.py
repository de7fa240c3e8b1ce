from collections.abc import Sequence
from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import Model, Timestamp
from ledger.settlements.domain import Preview, Settlement, SettlementState


class SettlementRun(Model):
    """Everything that happened before `period_end` and is in no settlement yet."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"period_end": "2026-11-01T00:00:00Z"}]}
    )

    period_end: Timestamp
    merchant_id: UUID | None = Field(default=None, description="only this one; all if left out")


class PreviewRead(Model):
    merchant_id: UUID
    currency: str
    opening: int
    closing: int
    lines: int

    @classmethod
    def from_domain(cls, preview: Preview) -> Self:
        return cls(
            merchant_id=preview.merchant_id,
            currency=preview.currency,
            opening=preview.opening_minor,
            closing=preview.closing_minor,
            lines=preview.lines,
        )


class PreviewsRead(Model):
    """At most 1,000."""

    items: list[PreviewRead]


class SettlementRead(Model):
    """Of the merchant's available balance. A closing balance that is negative, or less than the
    minimum, is carried over and has no payout.
    """

    id: UUID
    merchant_id: UUID
    currency: str
    period_start: datetime | None
    period_end: datetime
    state: SettlementState
    opening: int
    closing: int
    lines: int
    due_on: date
    payout_id: UUID | None
    created_by: str
    created_at: datetime
    closed_at: datetime | None
    paid_at: datetime | None

    @classmethod
    def from_domain(cls, settlement: Settlement) -> Self:
        return cls(
            id=settlement.id,
            merchant_id=settlement.merchant_id,
            currency=settlement.currency,
            period_start=settlement.period_start,
            period_end=settlement.period_end,
            state=settlement.state,
            opening=settlement.opening_minor,
            closing=settlement.closing_minor,
            lines=settlement.lines,
            due_on=settlement.due_on,
            payout_id=settlement.payout_id,
            created_by=settlement.created_by,
            created_at=settlement.created_at,
            closed_at=settlement.closed_at,
            paid_at=settlement.paid_at,
        )


class SettlementsRead(Model):
    """Those of the period, at most 1,000; when there are so many, run it again for the others."""

    items: list[SettlementRead]

    @classmethod
    def from_domain(cls, settlements: Sequence[Settlement]) -> Self:
        return cls(items=[SettlementRead.from_domain(it) for it in settlements])
