from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.money import Money
from order.refunds.domain import Refund, RefundState, RefundStatus

# A repeat is refused by a unique key, too much by the sums that the database counts.
_INSERT = text(
    "INSERT INTO order_refund (id, order_id, line_id, payment_id, merchant_id, provider, "
    "provider_reference, amount_minor, currency, reason, request_id, asked_by) "
    "SELECT * FROM unnest("
    "CAST(:ids AS uuid[]), CAST(:order_ids AS uuid[]), CAST(:line_ids AS uuid[]), "
    "CAST(:payment_ids AS uuid[]), CAST(:merchant_ids AS uuid[]), CAST(:providers AS text[]), "
    "CAST(:references AS text[]), CAST(:amounts AS bigint[]), CAST(:currencies AS text[]), "
    "CAST(:reasons AS text[]), CAST(:request_ids AS uuid[]), CAST(:asked_by AS text[]))"
)
# The lease: whoever dies with a refund in hand leaves it to be asked for again under the same id.
# MATERIALIZED: the planner must not run the locking part twice and take more than :limit.
_TAKE = text(
    "WITH due AS MATERIALIZED (SELECT id, payment_id FROM order_refund "
    "WHERE status NOT IN ('done', 'manual') AND next_at <= clock_timestamp() "
    "ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED) "
    "UPDATE order_refund r SET status = 'sent', attempts = r.attempts + 1, "
    "next_at = clock_timestamp() + make_interval(secs => :lease_seconds) "
    "FROM due JOIN order_payment p ON p.id = due.payment_id "
    "WHERE r.id = due.id RETURNING r.*, p.amount_minor AS payment_minor"
)
_SETTLE = text(
    "UPDATE order_refund r SET status = 'done', done_at = clock_timestamp(), last_error = NULL "
    "FROM order_payment p WHERE r.id = ANY(CAST(:ids AS uuid[])) "
    "AND r.status = ANY(CAST(:statuses AS text[])) AND p.id = r.payment_id "
    "RETURNING r.*, p.amount_minor AS payment_minor"
)
# Where nothing was sent nothing is unknown: such a refund is due again.
_POSTPONE = text(
    "UPDATE order_refund r SET status = p.status, last_error = p.error, "
    "next_at = clock_timestamp() + make_interval(secs => "
    "least(3600, 5 * power(2, least(r.attempts, 10)))) "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:errors AS text[])) "
    "AS p(id, status, error) WHERE r.id = p.id AND r.status = 'sent' RETURNING r.id"
)
_FIND_REQUESTS = text(
    "SELECT DISTINCT request_id FROM order_refund "
    "WHERE request_id IS NOT NULL AND request_id = ANY(CAST(:ids AS uuid[]))"
)
_LIST = text(
    "SELECT r.*, p.amount_minor AS payment_minor FROM order_refund r "
    "JOIN order_payment p ON p.id = r.payment_id WHERE r.order_id = :order_id "
    "AND (CAST(:after AS uuid) IS NULL OR r.id > CAST(:after AS uuid)) ORDER BY r.id LIMIT :limit"
)
# The provider has news: also of one that it had refused.
_HURRY = text(
    "UPDATE order_refund SET next_at = clock_timestamp(), "
    "status = CASE status WHEN 'manual' THEN 'due' ELSE status END "
    "WHERE id = :id AND merchant_id = :merchant_id AND status <> 'done' RETURNING status"
)
_FIND_DONE = text(
    "SELECT r.*, p.amount_minor AS payment_minor FROM order_refund r "
    "JOIN order_payment p ON p.id = r.payment_id "
    "WHERE r.id = :id AND r.merchant_id = :merchant_id AND r.status = 'done'"
)


async def add_many(tx: Transaction, refunds: Sequence[Refund]) -> None:
    values = {
        "ids": [refund.id for refund in refunds],
        "order_ids": [refund.order_id for refund in refunds],
        "line_ids": [refund.line_id for refund in refunds],
        "payment_ids": [refund.payment_id for refund in refunds],
        "merchant_ids": [refund.merchant_id for refund in refunds],
        "providers": [refund.provider for refund in refunds],
        "references": [refund.provider_reference for refund in refunds],
        "amounts": [refund.amount.amount_minor for refund in refunds],
        "currencies": [refund.amount.currency for refund in refunds],
        "reasons": [refund.reason for refund in refunds],
        "request_ids": [refund.request_id for refund in refunds],
        "asked_by": [refund.asked_by for refund in refunds],
    }
    await tx.execute(_INSERT, values)


async def take_due(tx: Transaction, *, limit: int, lease_seconds: int) -> Sequence[Refund]:
    """Refunds nobody else works on, marked as sent."""
    rows = await tx.execute(_TAKE, {"limit": limit, "lease_seconds": lease_seconds})
    return [_refund(row) for row in rows]


async def settle(
    tx: Transaction, ids: Sequence[UUID], statuses: Collection[RefundStatus]
) -> Sequence[Refund]:
    """Marks those done that are in one of these states, and answers them."""
    values = {"ids": list(ids), "statuses": [status.value for status in statuses]}
    return [_refund(row) for row in await tx.execute(_SETTLE, values)]


async def postpone(
    tx: Transaction, failures: Sequence[tuple[UUID, RefundStatus, str]]
) -> set[UUID]:
    """Not done: with its state and why. Asked again later, ever more rarely (10 s to 1 h)."""
    values = {
        "ids": [refund_id for refund_id, _, _ in failures],
        "statuses": [status.value for _, status, _ in failures],
        "errors": [why for _, _, why in failures],
    }
    return set((await tx.execute(_POSTPONE, values)).scalars())


async def find_requests(tx: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    return set((await tx.execute(_FIND_REQUESTS, {"ids": list(ids)})).scalars())


async def list_of_order(
    tx: Transaction, order_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[RefundState]:
    values = {"order_id": order_id, "after": after, "limit": limit}
    return [_state(row) for row in await tx.execute(_LIST, values)]


def _state(row: Any) -> RefundState:  # a row has no static type
    return RefundState(
        _refund(row),
        RefundStatus(row.status),
        row.attempts,
        row.last_error,
        row.created_at,
        row.done_at,
    )


async def hurry(tx: Transaction, merchant_id: UUID, refund_id: UUID) -> RefundStatus | None:
    """Makes an open refund due now; None when there is none."""
    values = {"id": refund_id, "merchant_id": merchant_id}
    status = (await tx.execute(_HURRY, values)).scalar_one_or_none()
    return None if status is None else RefundStatus(status)


async def find_done(tx: Transaction, merchant_id: UUID, refund_id: UUID) -> Refund | None:
    values = {"id": refund_id, "merchant_id": merchant_id}
    row = (await tx.execute(_FIND_DONE, values)).one_or_none()
    return _refund(row) if row else None


def _refund(row: Any) -> Refund:  # a row has no static type
    return Refund(
        id=row.id,
        order_id=row.order_id,
        line_id=row.line_id,
        merchant_id=row.merchant_id,
        provider=row.provider,
        provider_reference=row.provider_reference,
        amount=Money(row.amount_minor, row.currency),
        reason=row.reason,
        payment_id=row.payment_id,
        payment_amount=Money(row.payment_minor, row.currency),
        request_id=row.request_id,
        asked_by=row.asked_by,
    )
