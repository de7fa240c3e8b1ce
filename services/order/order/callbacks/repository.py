from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.money import Money
from order.callbacks.domain import Record, Source, ToldNotice, Verdict

# Whoever comes second waits here for the first to commit, and then reads its verdict.
_ADD = text(
    "INSERT INTO payment_notice AS n (id, merchant_id, account_id, provider, source, event_id, "
    "event, kind, order_id, checkout_id, provider_reference, amount_minor, currency, body_hash, "
    "verdict, detail) VALUES (:id, :merchant_id, :account_id, :provider, :source, :event_id, "
    ":event, :kind, :order_id, :checkout_id, :provider_reference, :amount_minor, :currency, "
    ":body_hash, :verdict, :detail) ON CONFLICT (account_id, event_id) DO UPDATE "
    "SET times = n.times + 1, last_at = clock_timestamp() RETURNING n.id, n.verdict"
)
_JUDGE = text(
    "UPDATE payment_notice SET verdict = :verdict, detail = :detail, order_id = :order_id, "
    "checkout_id = :checkout_id, provider_reference = :provider_reference, "
    "amount_minor = :amount_minor, currency = :currency WHERE id = :id"
)
_LIST = text(
    "SELECT * FROM payment_notice WHERE merchant_id = :merchant_id "
    "AND (CAST(:order_id AS uuid) IS NULL OR order_id = CAST(:order_id AS uuid)) "
    "AND (CAST(:verdict AS text) IS NULL OR verdict = CAST(:verdict AS text)) "
    "AND (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid)) "
    "ORDER BY id DESC LIMIT :limit"
)
_NOW = text("SELECT clock_timestamp()")


async def add(tx: Transaction, record: Record) -> tuple[UUID, Verdict]:
    """The row of this notice, new or counted once more, and its verdict so far."""
    row = (await tx.execute(_ADD, _values(record))).one()
    return row.id, Verdict(row.verdict)


async def judge(tx: Transaction, notice_id: UUID, record: Record) -> None:
    values = _values(record)
    named = ("order_id", "checkout_id", "provider_reference", "amount_minor", "currency")
    await tx.execute(
        _JUDGE,
        {
            "id": notice_id,
            "verdict": record.verdict.value,
            "detail": record.detail,
            **{name: values[name] for name in named},
        },
    )


async def list_notices(
    tx: Transaction,
    merchant_id: UUID,
    *,
    order_id: UUID | None,
    verdict: Verdict | None,
    after: UUID | None,
    limit: int,
) -> Sequence[ToldNotice]:
    """The newest first."""
    values = {
        "merchant_id": merchant_id,
        "order_id": order_id,
        "verdict": verdict.value if verdict else None,
        "after": after,
        "limit": limit,
    }
    return [_told(row) for row in await tx.execute(_LIST, values)]


async def now(tx: Transaction) -> datetime:
    """The database's time."""
    found: datetime = (await tx.execute(_NOW)).scalar_one()
    return found


def _values(record: Record) -> dict[str, object]:
    return {
        "id": record.id,
        "merchant_id": record.merchant_id,
        "account_id": record.account_id,
        "provider": record.provider,
        "source": record.source.value,
        "event_id": record.event_id,
        "event": record.event,
        "kind": record.kind,
        "order_id": record.order_id,
        "checkout_id": record.checkout_id,
        "provider_reference": record.provider_reference,
        "amount_minor": record.amount.amount_minor if record.amount else None,
        "currency": record.amount.currency if record.amount else None,
        "body_hash": record.body_hash,
        "verdict": record.verdict.value,
        "detail": record.detail,
    }


def _told(row: Any) -> ToldNotice:  # a row has no static type
    record = Record(
        id=row.id,
        merchant_id=row.merchant_id,
        account_id=row.account_id,
        provider=row.provider,
        source=Source(row.source),
        event_id=row.event_id,
        event=row.event,
        kind=row.kind,
        body_hash=bytes(row.body_hash),
        verdict=Verdict(row.verdict),
        detail=row.detail,
        order_id=row.order_id,
        checkout_id=row.checkout_id,
        provider_reference=row.provider_reference,
        amount=Money(row.amount_minor, row.currency) if row.currency else None,
    )
    return ToldNotice(record, row.times, row.received_at, row.last_at)
