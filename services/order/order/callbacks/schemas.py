from datetime import datetime
from typing import Self
from uuid import UUID

from kit.http import Model, MoneyModel
from order.callbacks.domain import Source, ToldNotice, Verdict


class PaymentNoticeRead(Model):
    """What a provider told. `times` is how often the same notice came."""

    id: UUID
    provider: str
    account_id: UUID
    source: Source
    event_id: str
    event: str
    kind: str
    order_id: UUID | None
    checkout_id: UUID | None
    provider_reference: str
    amount: MoneyModel | None
    verdict: Verdict
    detail: str
    body_hash: str
    times: int
    received_at: datetime
    last_at: datetime

    @classmethod
    def from_domain(cls, told: ToldNotice) -> Self:
        record = told.record
        return cls(
            id=record.id,
            provider=record.provider,
            account_id=record.account_id,
            source=record.source,
            event_id=record.event_id,
            event=record.event,
            kind=record.kind,
            order_id=record.order_id,
            checkout_id=record.checkout_id,
            provider_reference=record.provider_reference,
            amount=MoneyModel.from_domain(record.amount) if record.amount else None,
            verdict=record.verdict,
            detail=record.detail,
            body_hash=record.body_hash.hex(),
            times=told.times,
            received_at=told.received_at,
            last_at=told.last_at,
        )
