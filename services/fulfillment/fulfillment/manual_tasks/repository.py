"""SQL of the operators' queue. What a buyer entered lies with the delivery, sealed for its row."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from fulfillment.manual_tasks.domain import ManualState, ManualTask
from fulfillment.rows import inputs_of
from fulfillment.safe import Safe
from kit.db import Transaction
from kit.money import Money

_LAST_ID = UUID(int=2**128 - 1)


class ManualTaskRepository:
    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def add(self, tx: Transaction, tasks: Sequence[ManualTask]) -> None:
        """Opens tasks; one that is there already stays as it is."""
        fields = (
            "id",
            "merchant_id",
            "queue",
            "why",
            "order_id",
            "delivery_id",
            "task_id",
            "purchase_id",
            "procurement_id",
        )
        await tx.execute(
            _ADD, {field: [getattr(task, field) for task in tasks] for field in fields}
        )

    async def find_many(self, tx: Transaction, ids: Sequence[UUID]) -> list[ManualTask]:
        rows = await tx.execute(_FIND, {"id": list(ids)})
        return [self._task(row) for row in rows]

    async def find(self, tx: Transaction, merchant_id: UUID, task_id: UUID) -> ManualTask | None:
        found = await self.find_many(tx, [task_id])
        return found[0] if found and found[0].merchant_id == merchant_id else None

    async def list_tasks(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: str | None,
        queue: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[ManualTask]:
        rows = await tx.execute(
            _LIST,
            {
                "merchant_id": merchant_id,
                "state": state,
                "queue": queue,
                "after": after or _LAST_ID,
                "limit": limit,
            },
        )
        return [self._task(row) for row in rows]

    async def note_view(self, tx: Transaction, task_id: UUID, viewer: str) -> None:
        """Who reads what a buyer entered."""
        await tx.execute(_NOTE_VIEW, {"id": task_id, "viewer": viewer})

    async def resolve(self, tx: Transaction, task: ManualTask) -> bool:
        """False when somebody was faster."""
        rows = await tx.execute(
            _RESOLVE,
            {
                "id": task.id,
                "state": task.state.value,
                "result": task.result,
                "cost_minor": task.cost.amount_minor if task.cost else None,
                "currency": task.cost.currency if task.cost else None,
                "resolved_by": task.resolved_by,
            },
        )
        return rows.one_or_none() is not None

    async def withdraw(self, tx: Transaction, ids: Sequence[UUID]) -> None:
        """Open ones need nobody any more."""
        await tx.execute(_WITHDRAW, {"id": list(ids)})

    def _task(self, row: Any) -> ManualTask:  # a row has no static type
        cost = None if row.cost_minor is None else Money(row.cost_minor, row.currency)
        return ManualTask(
            **{field: getattr(row, field) for field in _PLAIN},
            state=ManualState(row.state),
            cost=cost,
            inputs=inputs_of(self._safe, row),
        )


_PLAIN = (
    "id",
    "merchant_id",
    "queue",
    "why",
    "order_id",
    "delivery_id",
    "task_id",
    "purchase_id",
    "result",
    "resolved_by",
    "resolved_at",
    "created_at",
    "sku",
    "name",
    "quantity",
    "agreed_currency",
    "procurement_id",
)
_ADD = text(
    """
    INSERT INTO manual_task (id, merchant_id, queue, why, order_id, delivery_id, task_id,
                             purchase_id, procurement_id)
    SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:queue AS text[]), CAST(:why AS text[]), CAST(:order_id AS uuid[]),
        CAST(:delivery_id AS uuid[]), CAST(:task_id AS uuid[]), CAST(:purchase_id AS uuid[]),
        CAST(:procurement_id AS uuid[]))
    ON CONFLICT (id) DO NOTHING
    """
)
_READ = """
    SELECT m.*, coalesce(d.sku, p.supplier_sku) AS sku, coalesce(d.name, '') AS name,
           coalesce(d.quantity, p.quantity) AS quantity, d.inputs, p.currency AS agreed_currency
    FROM manual_task m LEFT JOIN delivery d ON d.id = m.delivery_id
         LEFT JOIN purchase p ON p.id = m.purchase_id
"""
_FIND = text(_READ + " WHERE m.id = ANY(CAST(:id AS uuid[]))")
_LIST = text(
    _READ
    + """
    WHERE m.merchant_id = :merchant_id AND m.id < :after
      AND (CAST(:state AS text) IS NULL OR m.state = CAST(:state AS text))
      AND (CAST(:queue AS text) IS NULL OR m.queue = CAST(:queue AS text))
    ORDER BY m.id DESC LIMIT :limit
    """
)
_NOTE_VIEW = text(
    """
    INSERT INTO manual_task_view (manual_task_id, view_no, viewer)
    SELECT m.id, 1 + (SELECT count(*) FROM manual_task_view v WHERE v.manual_task_id = m.id),
           :viewer
    FROM (SELECT id FROM manual_task WHERE id = :id FOR UPDATE) m
    """
)
_RESOLVE = text(
    """
    UPDATE manual_task SET state = :state, result = :result, cost_minor = :cost_minor,
           currency = :currency, resolved_by = :resolved_by, resolved_at = clock_timestamp()
    WHERE id = :id AND state = 'open' RETURNING id
    """
)
_WITHDRAW = text(
    """
    UPDATE manual_task SET state = 'withdrawn', resolved_by = 'supplier',
           resolved_at = clock_timestamp()
    WHERE id = ANY(CAST(:id AS uuid[])) AND state = 'open'
    """
)
