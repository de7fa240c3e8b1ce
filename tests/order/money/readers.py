"""Reads what is written about orders into tales; the ledger's rules say what its books owe."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Database, Transaction
from kit.messaging.events import Event, topic_of, type_of
from kit.service import Service
from ledger.posting_rules.consumers import load_rules
from ledger.transactions.domain import Draft
from lockstock.order.v1 import order_events_pb2 as pb
from order.orders import service as orders
from order.orders.domain import Order
from tests.order.money.tales import LineRow, PaymentRow, RefundRow, Tale

BATCH = 1_000
_OWED = {"customer-deposits", "buyer-credits"}
_QUERIES = {
    "payments": "SELECT * FROM order_payment WHERE order_id = ANY(CAST(:ids AS uuid[]))",
    "refunds": "SELECT * FROM order_refund WHERE order_id = ANY(CAST(:ids AS uuid[]))",
    "timeline": "SELECT order_id, kind FROM order_timeline "
    "WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY id",
    "events": "SELECT CAST(key AS uuid) AS order_id, type, payload FROM event_log "
    "WHERE key = ANY(CAST(:keys AS text[])) ORDER BY id",
}


async def read_tales(db: Database, ids: Sequence[UUID]) -> dict[UUID, Tale]:
    """Without what was told and answered."""
    tales: dict[UUID, Tale] = {}
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        async with db.transaction() as tx:
            rows = {name: await _rows(tx, name, batch) for name in _QUERIES}
            locked = await orders.lock_many(tx, batch)
        for order in locked.orders.values():
            tales[order.id] = await _tale(order, {name: rows[name][order.id] for name in rows})
    return tales


async def _rows(tx: Transaction, name: str, ids: Sequence[UUID]) -> Mapping[UUID, list[Any]]:
    sql = _QUERIES[name]
    values = {"keys": [str(it) for it in ids]} if ":keys" in sql else {"ids": list(ids)}
    found: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in await tx.execute(text(sql), values):
        found[row.order_id].append(row)
    return found


async def _tale(order: Order, rows: Mapping[str, list[Any]]) -> Tale:
    tale = Tale(
        id=str(order.id),
        status=order.status.value,
        total=order.total.amount_minor,
        currency=order.total.currency,
        payments=tuple(_payment(row) for row in rows["payments"]),
        refunds=tuple(_refund(row) for row in rows["refunds"]),
        lines=tuple(
            LineRow(
                str(it.id),
                it.status.value,
                it.total.amount_minor,
                it.refund_minor,
                it.refunded_minor,
            )
            for it in order.lines
        ),
        timeline=tuple(row.kind for row in rows["timeline"]),
        news=tuple(row.type.rpartition(".")[2] for row in rows["events"]),
        shown={
            "paid": order.paid.amount_minor,
            "refunded": order.refunded.amount_minor,
            "open": order.open.amount_minor,
        },
    )
    return replace(tale, liability=await liability([(r.type, r.payload) for r in rows["events"]]))


def _payment(row: Any) -> PaymentRow:
    return PaymentRow(
        str(row.id),
        row.provider_reference,
        row.status,
        row.amount_minor,
        row.currency,
        row.applied_minor,
        row.back_minor,
    )


def _refund(row: Any) -> RefundRow:
    return RefundRow(
        str(row.id),
        str(row.payment_id),
        str(row.line_id) if row.line_id else None,
        row.amount_minor,
        row.currency,
        row.status,
    )


async def liability(events: Iterable[tuple[str, bytes]]) -> dict[str, int]:
    """What the ledger owes the buyer after these events, by currency. Every draft balances."""
    rules = {type_of(rule.cause): rule for rule in load_rules() if isinstance(rule.cause, type)}
    drafts: dict[str, Draft] = {}
    for type_, payload in events:
        if rule := rules.get(type_):
            message = getattr(pb, type_.rpartition(".")[2]).FromString(payload)
            draft = rule(_event(message))
            drafts[draft.source] = draft
    owed: defaultdict[str, int] = defaultdict(int)
    for draft in drafts.values():
        assert not draft.differences(), draft.source
        for posting in draft.postings:
            owed[posting.currency] -= posting.amount_minor * (posting.account.code in _OWED)
    return dict(owed)


def _event(message: Any) -> Event[Any]:
    return Event(
        id=UUID(int=0),
        type=type_of(type(message)),
        topic=topic_of(type(message)),
        key=message.order_id,
        version=1,
        time=datetime.now(UTC),
        merchant_id=message.merchant_id,
        traceparent=None,
        request_id=None,
        message=message,
    )


async def consume(service: Service, events: Sequence[Event[Any]]) -> None:
    """Gives events of one type to their handler, BATCH at a time."""
    if not events:
        return
    handler = next(it for it in service.handlers if it.message_class is type(events[0].message))
    for start in range(0, len(events), BATCH):
        async with service.db.transaction() as tx:
            await handler.fn(tx, events[start : start + BATCH])
