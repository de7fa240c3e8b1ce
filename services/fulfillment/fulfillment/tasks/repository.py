"""SQL of tasks and what comes of them: a constant number of statements, whatever the batch."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from fulfillment.deliveries.domain import Retry, Settled, Task
from fulfillment.rows import (
    DELIVERY_COLUMNS,
    INSERT_UNITS,
    REQUEST_COLUMNS,
    delivery_of,
    inputs_of,
    outcome_columns,
    request_of,
    unit_columns,
)
from fulfillment.safe import Safe
from kit.db import Transaction


class TaskRepository:
    """What buyers entered is opened by `safe` for those who work on a task."""

    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def take_tasks(
        self, tx: Transaction, kind: str, lease_id: UUID, lease: timedelta, limit: int
    ) -> list[Task]:
        """Claims up to `limit` due tasks of `kind` until the lease ends; others skip them."""
        rows = await tx.execute(
            _TAKE, {"kind": kind, "lease_id": lease_id, "lease": lease, "limit": limit}
        )
        return [self._task(list(them)) for _, them in groupby(rows, key=lambda row: row.task_id)]

    async def settle(self, tx: Transaction, settled: Sequence[Settled]) -> set[UUID]:
        """Closes tasks, settles their deliveries, stores their units: all in one statement.

        Only of tasks whose lease is still the one they were taken with. Answers the ids of the
        deliveries.
        """
        outcomes = [(one.task, outcome) for one in settled for outcome in one.outcomes]
        rows = await tx.execute(
            _SETTLE,
            {
                "t_id": [one.task.id for one in settled],
                "t_lease_id": [one.task.lease_id for one in settled],
                "d_id": [outcome.delivery_id for _, outcome in outcomes],
                "d_task_id": [task.id for task, _ in outcomes],
                **outcome_columns([outcome for _, outcome in outcomes]),
                **unit_columns([outcome for _, outcome in outcomes]),
            },
        )
        return {row.id for row in rows}

    async def postpone_tasks(
        self, tx: Transaction, retries: Sequence[tuple[Retry, timedelta]]
    ) -> set[UUID]:
        """Gives tasks back, due again after their pause; answers those the lease still held."""
        rows = await tx.execute(
            _POSTPONE,
            {
                "t_id": [retry.task.id for retry, _ in retries],
                "lease_id": [retry.task.lease_id for retry, _ in retries],
                "pause": [pause for _, pause in retries],
                "generation": [retry.generation for retry, _ in retries],
                "reason": [retry.reason for retry, _ in retries],
            },
        )
        return {row.id for row in rows}

    async def mark_unknown(self, tx: Transaction, delivery_ids: Sequence[UUID]) -> set[UUID]:
        """Pending deliveries become unknown; answers the ids of those that were pending."""
        rows = await tx.execute(_MARK_UNKNOWN, {"id": list(delivery_ids)})
        return {row.id for row in rows}

    def _task(self, rows: Sequence[Row[Any]]) -> Task:
        first = rows[0]
        return Task(
            id=first.task_id,
            kind=first.task_kind,
            request=request_of(first),
            deliveries=tuple(delivery_of(row, (), inputs_of(self._safe, row)) for row in rows),
            lease_id=first.lease_id,
            attempts=first.attempts,
            generation=first.generation,
            reservation_id=first.task_reservation_id,
            hold_has_more=first.hold_has_more,
        )


async def wake_tasks(tx: Transaction, task_ids: Sequence[UUID]) -> None:
    """Pending tasks and open procurements are due now and held by nobody."""
    await tx.execute(_WAKE, {"t_id": list(task_ids)})


# MATERIALIZED: the planner must not run the locking part twice and take more than :limit.
_TAKE = text(
    f"""
    WITH pick AS MATERIALIZED (
        SELECT id FROM task
        WHERE kind = :kind AND state = 'pending' AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE task t SET lease_id = :lease_id, attempts = t.attempts + 1,
               due_at = clock_timestamp() + CAST(:lease AS interval)
        FROM pick WHERE t.id = pick.id
        RETURNING t.id, t.kind, t.order_id, t.lease_id, t.attempts, t.generation,
                  t.reservation_id, t.hold_has_more
    )
    SELECT taken.id AS task_id, taken.kind AS task_kind, taken.lease_id, taken.attempts,
           taken.generation, taken.reservation_id AS task_reservation_id, taken.hold_has_more,
           {REQUEST_COLUMNS}, {DELIVERY_COLUMNS}, d.inputs
    FROM taken JOIN request r ON r.order_id = taken.order_id JOIN delivery d ON d.task_id = taken.id
    ORDER BY taken.id, d.line_no
    """  # noqa: S608 - column names of this file
)

# Tasks are found by their ids. By "state = 'pending'" the planner would rather read all that are
# pending, by the index of the due ones: each round would cost as much as the queue is long.
_THESE = "t.id = ANY(CAST(:t_id AS uuid[])) AND t.state <> 'done'"
_SETTLE = text(
    f"""
    WITH closed AS (
        UPDATE task t SET state = 'done', lease_id = NULL
        FROM unnest(CAST(:t_id AS uuid[]), CAST(:t_lease_id AS uuid[])) AS own (id, lease_id)
        WHERE {_THESE} AND t.id = own.id AND t.lease_id = own.lease_id
        RETURNING t.id
    ), settled AS (
        UPDATE delivery d
        SET state = own.state, reason = own.reason, settled_at = clock_timestamp(),
            receipt = own.receipt, inputs = NULL
        FROM unnest(CAST(:d_id AS uuid[]), CAST(:d_task_id AS uuid[]), CAST(:d_state AS text[]),
            CAST(:d_reason AS text[]), CAST(:d_receipt AS text[]))
            AS own (id, task_id, state, reason, receipt)
        JOIN closed ON closed.id = own.task_id
        WHERE d.id = own.id
        RETURNING d.id
    ), handed AS (
        {INSERT_UNITS}
        JOIN settled ON settled.id = u.delivery_id
    )
    SELECT id FROM settled
    """  # noqa: S608 - column names of this file
)

_POSTPONE = text(
    f"""
    UPDATE task t SET lease_id = NULL, due_at = clock_timestamp() + own.pause,
           generation = own.generation, last_reason = own.reason
    FROM unnest(CAST(:t_id AS uuid[]), CAST(:lease_id AS uuid[]), CAST(:pause AS interval[]),
        CAST(:generation AS int[]), CAST(:reason AS text[]))
        AS own (id, lease_id, pause, generation, reason)
    WHERE {_THESE} AND t.id = own.id AND t.lease_id = own.lease_id
    RETURNING t.id
    """  # noqa: S608 - words of this file
)

_MARK_UNKNOWN = text(
    """
    UPDATE delivery SET state = 'unknown'
    WHERE id = ANY(CAST(:id AS uuid[])) AND state = 'pending'
    RETURNING id
    """
)

_WAKE = text(
    f"""
    WITH buying AS (
        UPDATE procurement SET lease_id = NULL, due_at = clock_timestamp()
        WHERE id = ANY(CAST(:t_id AS uuid[])) AND ended_at IS NULL
    )
    UPDATE task t SET lease_id = NULL, due_at = clock_timestamp() WHERE {_THESE}
    """  # noqa: S608 - words of this file
)
