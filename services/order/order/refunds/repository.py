from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from kit.db import Transaction
from kit.money import Money
from order.refunds.domain import Refund

# A repeat is refused by the unique key of the line, never paid twice.
_INSERT = text(
    "INSERT INTO order_refund (id, order_id, line_id, merchant_id, provider, provider_reference, "
    "amount_minor, currency, reason) SELECT * FROM unnest("
    "CAST(:ids AS uuid[]), CAST(:order_ids AS uuid[]), CAST(:line_ids AS uuid[]), "
    "CAST(:merchant_ids AS uuid[]), CAST(:providers AS text[]), CAST(:references AS text[]), "
    "CAST(:amounts AS bigint[]), CAST(:currencies AS text[]), CAST(:reasons AS text[]))"
)
# The lease: whoever dies with a refund in hand leaves it to be asked for again under the same id.
_TAKE = text(
    "UPDATE order_refund r SET status = 'sent', attempts = r.attempts + 1, "
    "next_at = clock_timestamp() + make_interval(secs => :lease_seconds) "
    "FROM (SELECT id FROM order_refund WHERE status <> 'done' AND next_at <= clock_timestamp() "
    "ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED) due WHERE r.id = due.id RETURNING r.*"
)
_SETTLE = text(
    "UPDATE order_refund SET status = 'done', done_at = clock_timestamp(), last_error = NULL "
    "WHERE id = ANY(CAST(:ids AS uuid[])) AND status <> 'done' RETURNING *"
)
_POSTPONE = text(
    "UPDATE order_refund r SET last_error = p.error, next_at = clock_timestamp() "
    "+ make_interval(secs => least(3600, 5 * power(2, least(r.attempts, 10)))) "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:errors AS text[])) AS p(id, error) "
    "WHERE r.id = p.id AND r.status <> 'done'"
)


async def add_many(tx: Transaction, refunds: Sequence[Refund]) -> None:
    values = {
        "ids": [refund.id for refund in refunds],
        "order_ids": [refund.order_id for refund in refunds],
        "line_ids": [refund.line_id for refund in refunds],
        "merchant_ids": [refund.merchant_id for refund in refunds],
        "providers": [refund.provider for refund in refunds],
        "references": [refund.provider_reference for refund in refunds],
        "amounts": [refund.amount.amount_minor for refund in refunds],
        "currencies": [refund.amount.currency for refund in refunds],
        "reasons": [refund.reason for refund in refunds],
    }
    await tx.execute(_INSERT, values)


async def take_due(tx: Transaction, *, limit: int, lease_seconds: int) -> Sequence[Refund]:
    """Refunds nobody else works on, marked as sent."""
    rows = await tx.execute(_TAKE, {"limit": limit, "lease_seconds": lease_seconds})
    return [_refund(row) for row in rows]


async def settle(tx: Transaction, refunds: Sequence[Refund]) -> Sequence[Refund]:
    """Marks them done; answers those that were not before."""
    rows = await tx.execute(_SETTLE, {"ids": [refund.id for refund in refunds]})
    return [_refund(row) for row in rows]


async def postpone(tx: Transaction, failures: Sequence[tuple[Refund, str]]) -> None:
    """Asks again later, ever more rarely (10 s to 1 h)."""
    values = {"ids": [refund.id for refund, _ in failures], "errors": [why for _, why in failures]}
    await tx.execute(_POSTPONE, values)


def _refund(row: Any) -> Refund:  # a row has no static type
    return Refund(
        row.id,
        row.order_id,
        row.line_id,
        row.merchant_id,
        row.provider,
        row.provider_reference,
        Money(row.amount_minor, row.currency),
        row.reason,
    )
