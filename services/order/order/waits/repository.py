"""What waits, read together from the rows of all slices; nothing is written here."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from order.waits.domain import Backlog, Wait, WaitKind

# Open orders are few beside those that ended: each part reads an index of what is open only.
_WAITS = """
    WITH bound AS (
        SELECT clock_timestamp() - make_interval(secs => :silence_seconds) AS at
    ), open AS (
        SELECT id, merchant_id, reference, status, reason, updated_at FROM orders
        WHERE status IN ('paid', 'on_hold', 'fulfilling', 'refunding') {of_merchant}
    ), waits AS (
        SELECT id, CASE kind WHEN 'back_order' THEN 'back_order' ELSE 'step' END AS kind, order_id,
               line_id, kind AS what, state, created_at AS since,
               CASE state WHEN 'manual' THEN NULL ELSE next_at END AS next_at, last_error,
               attempt AS attempts
        FROM saga_step WHERE state IN ('intent', 'sent', 'unknown', 'manual') {of_merchant}
        UNION ALL
        SELECT id, 'refund', order_id, line_id, provider, status, created_at, next_at,
               coalesce(last_error, ''), attempts
        FROM order_refund WHERE status NOT IN ('done', 'manual') {of_merchant}
        UNION ALL
        SELECT id, 'refund', order_id, line_id, provider, status, created_at, NULL,
               coalesce(last_error, ''), attempts
        FROM order_refund WHERE status = 'manual' {of_merchant}
        UNION ALL
        SELECT id, 'checkout', order_id, NULL, provider, state, created_at, NULL,
               coalesce(last_error, ''), asked
        FROM payment_checkout WHERE state = 'manual' {of_merchant}
        UNION ALL
        SELECT id, 'payment', id, NULL, 'the rest of its price', status, placed_at, pay_until, '', 0
        FROM orders WHERE status = 'pending_payment' AND parts <> CAST('[]' AS jsonb) {of_merchant}
        UNION ALL
        SELECT id, 'review', id, NULL, 'a person''s review', status, updated_at, NULL, reason, 0
        FROM open WHERE status = 'on_hold'
        UNION ALL
        SELECT id, 'assessment', id, NULL, 'the word of risk', status, updated_at, NULL, '', 0
        FROM open, bound WHERE status = 'paid' AND updated_at <= bound.at
        UNION ALL
        SELECT l.id, 'unknown_line', o.id, l.id, l.sku, l.status, o.updated_at, NULL,
               coalesce(d.reason, ''), 0
        FROM open o JOIN order_line l ON l.order_id = o.id LEFT JOIN LATERAL (
            SELECT reason FROM order_delivery WHERE order_id = o.id AND line_id = l.id
            ORDER BY updated_at DESC LIMIT 1) d ON true
        WHERE o.status = 'fulfilling' AND l.status = 'unknown'
        UNION ALL
        SELECT l.id, 'fulfillment', o.id, l.id, l.sku, l.status, o.updated_at, NULL, '', 0
        FROM open o CROSS JOIN bound JOIN order_line l ON l.order_id = o.id
        WHERE o.status = 'fulfilling' AND o.updated_at <= bound.at AND l.status = 'pending'
          AND NOT EXISTS (
            SELECT FROM saga_step s WHERE s.order_id = o.id AND s.line_id = l.id
              AND s.state IN ('intent', 'sent', 'unknown', 'manual'))
          AND NOT (l.kind = 'pool' AND EXISTS (
            SELECT FROM order_line p WHERE p.order_id = o.id AND p.kind <> 'pool'
              AND p.bundle_policy = 'all_or_nothing' AND p.status IN ('pending', 'unknown')))
        UNION ALL
        SELECT o.id, 'lost', o.id, NULL, 'nothing that is known', o.status, o.updated_at, NULL,
               o.reason, 0
        FROM open o, bound
        WHERE o.updated_at <= bound.at AND (
          (o.status = 'refunding' AND NOT EXISTS (
            SELECT FROM order_refund r WHERE r.order_id = o.id AND r.status <> 'done'))
          OR (o.status = 'fulfilling' AND NOT EXISTS (
            SELECT FROM order_line l WHERE l.order_id = o.id
              AND l.status IN ('pending', 'unknown'))))
        UNION ALL
        SELECT id, 'lost', id, NULL, 'its timer', status, pay_until, NULL, '', 0
        FROM orders, bound
        WHERE status = 'pending_payment' AND pay_until <= bound.at {of_merchant}
    )
"""
_OF_MERCHANT = "AND merchant_id = :merchant_id"
_COLUMNS = (
    "SELECT w.*, o.reference FROM waits w JOIN orders o ON o.id = w.order_id "
    "WHERE o.merchant_id = :merchant_id "
)
_LIST = text(
    _WAITS.format(of_merchant=_OF_MERCHANT)
    + _COLUMNS
    + "AND (CAST(:kind AS text) IS NULL OR w.kind = CAST(:kind AS text)) "
    "AND w.since <= clock_timestamp() - make_interval(secs => :age_seconds) "
    "AND (CAST(:after_id AS uuid) IS NULL "
    "OR (w.since, w.id) > (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid))) "
    "ORDER BY w.since, w.id LIMIT :limit"
)
_FIND = text(_WAITS.format(of_merchant=_OF_MERCHANT) + _COLUMNS + "AND w.id = :id LIMIT 1")
_BACKLOG = (
    "SELECT kind, count(*) AS number, "
    "CAST(extract(epoch FROM clock_timestamp() - min(since)) AS float8) AS oldest "
    "FROM waits GROUP BY kind"
)
_COUNT = text(_WAITS.format(of_merchant="") + _BACKLOG)


async def list_waits(
    tx: Transaction,
    merchant_id: UUID,
    *,
    silence: timedelta,
    kind: str | None,
    age: timedelta,
    after: tuple[Any, UUID] | None,
    limit: int,
) -> list[Wait]:
    """The oldest first."""
    values = {
        "merchant_id": merchant_id,
        "silence_seconds": silence.total_seconds(),
        "kind": kind,
        "age_seconds": age.total_seconds(),
        "after_at": after[0] if after else None,
        "after_id": after[1] if after else None,
        "limit": limit,
    }
    return [_wait(row) for row in await tx.execute(_LIST, values)]


async def find(
    tx: Transaction, merchant_id: UUID, wait_id: UUID, *, silence: timedelta
) -> Wait | None:
    values = {
        "merchant_id": merchant_id,
        "silence_seconds": silence.total_seconds(),
        "id": wait_id,
    }
    row = (await tx.execute(_FIND, values)).one_or_none()
    return _wait(row) if row else None


async def count(tx: Transaction, *, silence: timedelta) -> Sequence[Backlog]:
    """Of all merchants together."""
    rows = await tx.execute(_COUNT, {"silence_seconds": silence.total_seconds()})
    return [Backlog(WaitKind(row.kind), row.number, row.oldest) for row in rows]


def _wait(row: Any) -> Wait:  # a row has no static type
    return Wait(
        id=row.id,
        kind=WaitKind(row.kind),
        order_id=row.order_id,
        reference=row.reference,
        line_id=row.line_id,
        what=row.what,
        state=row.state,
        since=row.since,
        next_at=row.next_at,
        last_error=row.last_error,
        attempts=row.attempts,
    )
