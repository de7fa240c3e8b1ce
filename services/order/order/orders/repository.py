"""Orders in SQL. Everything takes many orders and a constant number of statements."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from kit.money import Money
from order.line_rows import line_changes, line_of, line_values
from order.lines.domain import Line
from order.orders.domain import (
    Challenge,
    Change,
    Customer,
    Order,
    OrderStatus,
    Payment,
    Verdict,
    terms_of,
)

# One statement: the lines of an order whose reference is taken must not be written either.
_INSERT = text(
    """
    WITH placed AS (
      INSERT INTO orders (id, merchant_id, channel_id, reference, status, total_minor, currency,
        reservation_id, verdict, customer_id, customer_email, customer_phone, customer_ip,
        customer_device_id, customer_registered_at, customer_locale, customer_region, contact_hash,
        recipient_public_key, payment_id, payment_via, payment_provider, payment_reference,
        pay_until, placed_at, paid_at, terms)
      SELECT o.* FROM jsonb_to_recordset(CAST(:orders AS jsonb)) AS o(
        id uuid, merchant_id uuid, channel_id uuid, reference text, status text,
        total_minor bigint, currency text, reservation_id uuid, verdict text, customer_id text,
        customer_email text, customer_phone text, customer_ip text, customer_device_id text,
        customer_registered_at timestamptz, customer_locale text, customer_region text,
        contact_hash text, recipient_public_key bytea, payment_id uuid, payment_via text,
        payment_provider text, payment_reference text, pay_until timestamptz, placed_at timestamptz,
        paid_at timestamptz, terms jsonb)
      ORDER BY merchant_id, reference, channel_id
      ON CONFLICT (merchant_id, reference, channel_id) DO NOTHING RETURNING id
    ), lines AS (
      INSERT INTO order_line (id, order_id, line_no, product_id, sku, name, kind, pool_id,
        quantity, unit_price_minor, total_minor, currency, instructions, inputs, terms, form,
        template, region, redemption, price_derivation, bundle_sku, bundle_no, bundle_policy,
        image_url, options, fee_minor)
      SELECT l.* FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS l(
        id uuid, order_id uuid, line_no int, product_id uuid, sku text, name text, kind text,
        pool_id uuid, quantity int, unit_price_minor bigint, total_minor bigint, currency text,
        instructions text, inputs jsonb, terms jsonb, form jsonb, template text, region jsonb,
        redemption jsonb, price_derivation jsonb, bundle_sku text, bundle_no int,
        bundle_policy text, image_url text, options jsonb, fee_minor bigint)
      JOIN placed ON placed.id = l.order_id
    ), terms AS (
      INSERT INTO order_search (merchant_id, term, placed_at, order_id)
      SELECT t.* FROM jsonb_to_recordset(CAST(:terms AS jsonb)) AS t(
        merchant_id uuid, term text, placed_at timestamptz, order_id uuid)
      JOIN placed ON placed.id = t.order_id
    )
    SELECT id FROM placed
    """
)
_BEGINNINGS = (OrderStatus.PENDING_PAYMENT, OrderStatus.PAID)
# Nothing was locked, so nothing happens at this time.
_NO_TIME = datetime.min.replace(tzinfo=UTC)
_LOCK = text(
    "SELECT *, clock_timestamp() AS locked_at FROM orders "
    "WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"
)
_TAKE_UNPAID_DUE = text(
    "SELECT * FROM orders WHERE status = 'pending_payment' AND pay_until <= clock_timestamp() "
    "ORDER BY pay_until LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_FIND = text("SELECT * FROM orders WHERE id = ANY(CAST(:ids AS uuid[]))")
_LINES = text(
    "SELECT * FROM order_line WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id, line_no"
)
_FIND_REFERENCES = text(
    "SELECT clock_timestamp() AS now, w.channel_id, w.reference, o.id FROM unnest("
    "CAST(:merchant_ids AS uuid[]), CAST(:channel_ids AS uuid[]), CAST(:references AS text[])) "
    "AS w(merchant_id, channel_id, reference) LEFT JOIN orders o ON o.merchant_id = w.merchant_id "
    "AND o.reference = w.reference AND o.channel_id = w.channel_id"
)
_UPDATE = text(
    """
    UPDATE orders SET status = c.status, verdict = c.verdict, assessment_id = c.assessment_id,
      challenge = c.challenge, is_default_verdict = c.is_default_verdict,
      late_verdict = c.late_verdict, reason = c.reason, payment_id = c.payment_id,
      payment_via = c.payment_via, payment_provider = c.payment_provider,
      payment_reference = c.payment_reference, paid_at = c.paid_at, parts = c.parts,
      surplus_minor = c.surplus_minor, returned_minor = c.returned_minor, is_closed = c.is_closed,
      pay_until = c.pay_until, updated_at = clock_timestamp()
    FROM jsonb_to_recordset(CAST(:orders AS jsonb)) AS c(
      id uuid, status text, verdict text, assessment_id text, challenge jsonb,
      is_default_verdict boolean, late_verdict text, reason text,
      payment_id uuid, payment_via text, payment_provider text, payment_reference text,
      paid_at timestamptz, parts jsonb, surplus_minor bigint, returned_minor bigint,
      is_closed boolean, pay_until timestamptz)
    WHERE orders.id = c.id
    """
)
# Before the rest is written: the trigger orders_transition asks whether the order is revived.
_REVIVE = text(
    "UPDATE orders SET revived_at = clock_timestamp(), reservation_id = c.hold FROM unnest("
    "CAST(:ids AS uuid[]), CAST(:holds AS uuid[])) AS c(id, hold) "
    "WHERE orders.id = c.id AND revived_at IS NULL"
)
_UPDATE_LINES = text(
    "UPDATE order_line SET status = c.status, costs = c.costs, round = c.round, tried = c.tried, "
    "instead = c.instead FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS c(id uuid, status text, "
    "costs jsonb, round int, tried jsonb, instead jsonb) WHERE order_line.id = c.id"
)


async def add_many(tx: Transaction, orders: Sequence[Order]) -> set[UUID]:
    """Writes orders with their lines; answers the ids of those whose reference was free. Every
    order begins unpaid or paid; where it has gone further already, that follows.
    """
    values = {
        "orders": _json([_order_values(order) for order in orders]),
        "lines": _json([line_values(order.id, line) for order in orders for line in order.lines]),
        "terms": _json([term for order in orders for term in _term_values(order)]),
    }
    placed = set((await tx.execute(_INSERT, values)).scalars())
    moved = [order for order in orders if order.id in placed and order.status not in _BEGINNINGS]
    if moved:
        tx.at_commit(_UPDATE, {"orders": _json([_state_values(order) for order in moved])})
    return placed


async def lock_many(tx: Transaction, ids: Iterable[UUID]) -> tuple[list[Order], datetime]:
    """The orders that exist, locked in the order of their ids, and the database's time."""
    rows = (await tx.execute(_LOCK, {"ids": list(ids)})).all()
    return await _with_lines(tx, rows), rows[0].locked_at if rows else _NO_TIME


async def take_unpaid_due(tx: Transaction, limit: int) -> list[Order]:
    """Orders not paid in time, locked; those that others hold are left for the next round."""
    rows = (await tx.execute(_TAKE_UNPAID_DUE, {"limit": limit})).all()
    return await _with_lines(tx, rows)


async def find_many(tx: Transaction, ids: Iterable[UUID]) -> list[Order]:
    rows = (await tx.execute(_FIND, {"ids": list(ids)})).all()
    return await _with_lines(tx, rows)


async def find_references(
    tx: Transaction, wanted: Sequence[tuple[UUID, UUID, str]]
) -> tuple[dict[tuple[UUID, str], UUID], datetime]:
    """The orders behind those (merchant, channel, reference) that are taken, and the time."""
    values = {
        "merchant_ids": [merchant_id for merchant_id, _, _ in wanted],
        "channel_ids": [channel_id for _, channel_id, _ in wanted],
        "references": [reference for _, _, reference in wanted],
    }
    rows = (await tx.execute(_FIND_REFERENCES, values)).all()
    return {(row.channel_id, row.reference): row.id for row in rows if row.id}, rows[0].now


async def update_many(tx: Transaction, changes: Sequence[Change]) -> None:
    """Writes what the changes made of their orders and lines."""
    holds = {c.order.id: c.order.reservation_id for c in changes if c.order.is_revived}
    if holds:
        await tx.execute(_REVIVE, {"ids": list(holds), "holds": list(holds.values())})
    tx.later(_UPDATE, {"orders": _json([_state_values(c.order) for c in changes])})
    lines = [
        line_changes(line)
        for change in changes
        for line in change.order.lines
        if line.id in change.touched_lines
    ]
    if lines:
        tx.later(_UPDATE_LINES, {"lines": _json(lines)})


async def _with_lines(tx: Transaction, rows: Sequence[Any]) -> list[Order]:
    if not rows:
        return []
    lines: defaultdict[UUID, list[Line]] = defaultdict(list)
    for row in await tx.execute(_LINES, {"ids": [row.id for row in rows]}):
        lines[row.order_id].append(line_of(row))
    return [_order(row, tuple(lines[row.id])) for row in rows]


def _json(values: Any) -> str:  # any JSON
    # The driver's UUIDs are a subclass, which orjson leaves to `default`.
    return orjson.dumps(values, default=str).decode()


def _state_values(order: Order) -> dict[str, object]:
    """What decisions change."""
    payment = order.payment
    return {
        "id": order.id,
        "status": order.status,
        "verdict": order.verdict,
        "assessment_id": order.assessment_id,
        "challenge": order.challenge,
        "is_default_verdict": order.is_default_verdict,
        "late_verdict": order.late_verdict,
        "reason": order.reason,
        "payment_id": payment.id if payment else None,
        "payment_via": payment.via if payment else None,
        "payment_provider": payment.provider if payment else None,
        "payment_reference": payment.provider_reference if payment else None,
        "paid_at": order.paid_at,
        "parts": [_part_values(part) for part in order.parts],
        "surplus_minor": order.surplus_minor,
        "returned_minor": order.returned_minor,
        "is_closed": order.is_closed,
        "pay_until": order.pay_until,
    }


def _part_values(payment: Payment) -> list[object]:
    return [
        payment.id,
        payment.via,
        payment.provider,
        payment.provider_reference,
        payment.amount.amount_minor,
        payment.surplus_minor,
    ]


def _order_values(order: Order) -> dict[str, object]:
    customer, key = order.customer, order.recipient_public_key
    begun = order.status if order.status in _BEGINNINGS else OrderStatus.PAID
    return {
        **_state_values(order),
        "status": begun,
        "merchant_id": order.merchant_id,
        "channel_id": order.channel_id,
        "reference": order.reference,
        "total_minor": order.total.amount_minor,
        "currency": order.total.currency,
        "reservation_id": order.reservation_id,
        "customer_id": customer.id,
        "customer_email": customer.email,
        "customer_phone": customer.phone,
        "customer_ip": customer.ip,
        "customer_device_id": customer.device_id,
        "customer_registered_at": customer.registered_at,
        "customer_locale": customer.locale,
        "customer_region": customer.region,
        "contact_hash": customer.contact_hash,
        "recipient_public_key": f"\\x{key.hex()}" if key else None,
        "placed_at": order.placed_at,
        "terms": order.terms,
    }


def _term_values(order: Order) -> list[dict[str, object]]:
    return [
        {
            "merchant_id": order.merchant_id,
            "term": term,
            "placed_at": order.placed_at,
            "order_id": order.id,
        }
        for term in terms_of(order)
    ]


def _order(row: Any, lines: tuple[Line, ...]) -> Order:  # a row has no static type
    total = Money(row.total_minor, row.currency)
    parts = tuple(_part(values, row.currency) for values in row.parts)
    return Order(
        id=row.id,
        merchant_id=row.merchant_id,
        channel_id=row.channel_id,
        reference=row.reference,
        customer=_customer(row),
        total=total,
        lines=lines,
        pay_until=row.pay_until,
        placed_at=row.placed_at,
        reservation_id=row.reservation_id,
        recipient_public_key=row.recipient_public_key,
        status=OrderStatus(row.status),
        verdict=Verdict(row.verdict) if row.verdict else None,
        assessment_id=row.assessment_id,
        is_default_verdict=row.is_default_verdict,
        late_verdict=Verdict(row.late_verdict) if row.late_verdict else None,
        challenge=Challenge(**row.challenge) if row.challenge else None,
        payment=_payment(row, parts),
        paid_at=row.paid_at,
        reason=row.reason,
        parts=parts,
        surplus_minor=row.surplus_minor,
        returned_minor=row.returned_minor,
        is_closed=row.is_closed,
        is_revived=row.revived_at is not None,
        terms=row.terms,
    )


def _part(values: Sequence[Any], currency: str) -> Payment:  # JSON has no static type
    payment_id, via, provider, reference, amount, surplus = values
    return Payment(UUID(payment_id), via, provider, reference, Money(amount, currency), surplus)


def _payment(row: Any, parts: tuple[Payment, ...]) -> Payment | None:  # a row has no static type
    """The one that paid the order: the last part, or one exact payment."""
    if row.payment_id is None:
        return None
    if parts:
        return parts[-1]
    return Payment(
        row.payment_id,
        row.payment_via,
        row.payment_provider,
        row.payment_reference,
        Money(row.total_minor, row.currency),
    )


def _customer(row: Any) -> Customer:  # a row has no static type
    return Customer(
        id=row.customer_id,
        email=row.customer_email,
        phone=row.customer_phone,
        ip=row.customer_ip,
        device_id=row.customer_device_id,
        registered_at=row.customer_registered_at,
        contact_hash=row.contact_hash,
        locale=row.customer_locale,
        region=row.customer_region,
    )
