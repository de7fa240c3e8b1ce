"""SQL of calls to merchants' systems: a constant number of statements, whatever the batch."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from fulfillment.fulfiller_calls.domain import (
    Answer,
    CallState,
    Done,
    Failed,
    FulfillerCall,
    NotSent,
    Unknown,
    state_after,
)
from kit.db import Transaction
from kit.money import Money


class FulfillerCallRepository:
    async def add(self, tx: Transaction, calls: Sequence[tuple[FulfillerCall, timedelta]]) -> None:
        """Writes intents with their deadlines; one that is there already stays as it is."""
        values = {field: [getattr(call, field) for call, _ in calls] for field in _IDS}
        await tx.execute(_ADD, {**values, "deadline": [deadline for _, deadline in calls]})

    async def lock_many(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, FulfillerCall]:
        """By id, locked in the order of their ids."""
        rows = await tx.execute(_LOCK, {"id": list(ids)})
        return {row.id: _call(row) for row in rows}

    async def mark_sent(self, tx: Transaction, ids: Sequence[UUID]) -> None:
        """A call may begin once this is committed."""
        await tx.execute(_MARK_SENT, {"id": list(ids)})

    async def hand_over(self, tx: Transaction, ids: Sequence[UUID]) -> None:
        """People decide now."""
        await tx.execute(_HAND_OVER, {"id": list(ids)})

    async def save(self, tx: Transaction, answers: Sequence[tuple[UUID, Answer]]) -> None:
        """Writes what calls came to. A word that was given meanwhile stays as it is, and nothing
        but a word changes what has been handed to people.
        """
        costs = [answer.cost if isinstance(answer, Done) else None for _, answer in answers]
        await tx.execute(
            _SAVE,
            {
                "id": [call_id for call_id, _ in answers],
                "state": [state_after(answer).value for _, answer in answers],
                "result": [
                    answer.result if isinstance(answer, Done) else "" for _, answer in answers
                ],
                "reason": [
                    answer.reason if isinstance(answer, Failed | Unknown | NotSent) else ""
                    for _, answer in answers
                ],
                "cost_minor": [cost.amount_minor if cost else None for cost in costs],
                "currency": [cost.currency if cost else None for cost in costs],
            },
        )

    async def lock(self, tx: Transaction, merchant_id: UUID, call_id: UUID) -> FulfillerCall | None:
        found = (await self.lock_many(tx, [call_id])).get(call_id)
        return found if found and found.merchant_id == merchant_id else None


_IDS = ("id", "merchant_id", "order_id", "delivery_id", "task_id", "fulfiller")


def _call(row: Any) -> FulfillerCall:  # a row has no static type
    return FulfillerCall(
        **{field: getattr(row, field) for field in _IDS},
        state=CallState(row.state),
        sends=row.sends,
        result=row.result,
        reason=row.reason,
        cost=None if row.cost_minor is None else Money(row.cost_minor, row.currency),
        is_over=row.is_over,
        waited=row.waited,
        created_at=row.created_at,
        settled_at=row.settled_at,
    )


_ADD = text(
    """
    INSERT INTO fulfiller_call (id, merchant_id, order_id, delivery_id, task_id, fulfiller,
                                ends_at)
    SELECT c.id, c.merchant_id, c.order_id, c.delivery_id, c.task_id, c.fulfiller,
           clock_timestamp() + c.deadline
    FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]), CAST(:order_id AS uuid[]),
        CAST(:delivery_id AS uuid[]), CAST(:task_id AS uuid[]), CAST(:fulfiller AS text[]),
        CAST(:deadline AS interval[]))
        AS c (id, merchant_id, order_id, delivery_id, task_id, fulfiller, deadline)
    ORDER BY c.id
    ON CONFLICT (id) DO NOTHING
    """
)
_LOCK = text(
    """
    SELECT c.*, c.ends_at <= clock_timestamp() AS is_over,
           coalesce(clock_timestamp() - c.sent_at, interval '0') AS waited
    FROM fulfiller_call c
    WHERE c.id = ANY(CAST(:id AS uuid[])) ORDER BY c.id FOR UPDATE
    """
)
_MARK_SENT = text(
    """
    UPDATE fulfiller_call SET state = 'sent', sends = sends + 1, sent_at = clock_timestamp()
    WHERE id = ANY(CAST(:id AS uuid[])) AND state NOT IN ('done', 'failed', 'manual')
    """
)
_HAND_OVER = text(
    """
    UPDATE fulfiller_call SET state = 'manual'
    WHERE id = ANY(CAST(:id AS uuid[])) AND state NOT IN ('done', 'failed', 'manual')
    """
)
_SAVE = text(
    """
    UPDATE fulfiller_call c
    SET state = own.state, result = own.result, reason = own.reason, cost_minor = own.cost_minor,
        currency = own.currency,
        settled_at = CASE WHEN own.state IN ('done', 'failed') THEN clock_timestamp() END
    FROM unnest(CAST(:id AS uuid[]), CAST(:state AS text[]), CAST(:result AS text[]),
        CAST(:reason AS text[]), CAST(:cost_minor AS bigint[]), CAST(:currency AS text[]))
        AS own (id, state, result, reason, cost_minor, currency)
    WHERE c.id = own.id AND c.state NOT IN ('done', 'failed')
      AND (own.state IN ('done', 'failed') OR c.state = 'sent')
    """
)
