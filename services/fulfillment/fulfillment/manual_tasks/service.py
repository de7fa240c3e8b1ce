"""The operators' queue: form in, result out. Each decision is made once and wakes whoever waits."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from fulfillment.manual_tasks.domain import (
    CostCurrencyWrong,
    ManualState,
    ManualTask,
    ManualTaskClosed,
    ManualTaskNotFound,
)
from fulfillment.manual_tasks.repository import ManualTaskRepository
from fulfillment.tasks.service import wake_tasks
from kit.db import Transaction
from kit.logging import get_logger
from kit.money import Money

log = get_logger(__name__)


class ManualTaskService:
    def __init__(self, repository: ManualTaskRepository) -> None:
        self._repository = repository

    async def open_many(self, tx: Transaction, tasks: Sequence[ManualTask]) -> None:
        """Puts tasks in their queues; the same again changes nothing."""
        await self._repository.add(tx, tasks)

    async def find_many(self, tx: Transaction, ids: Sequence[UUID]) -> Sequence[ManualTask]:
        return await self._repository.find_many(tx, ids)

    async def withdraw_many(self, tx: Transaction, ids: Sequence[UUID]) -> None:
        """What these were open for has been settled without a person."""
        await self._repository.withdraw(tx, ids)

    async def list_tasks(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: str | None,
        queue: str | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[ManualTask]:
        """A merchant's tasks, the last opened first."""
        return await self._repository.list_tasks(
            tx, merchant_id, state=state, queue=queue, after=after, limit=limit
        )

    async def read(
        self, tx: Transaction, merchant_id: UUID, task_id: UUID, viewer: str
    ) -> ManualTask:
        """The task with what the buyer entered, whole; that is noted first. Raises
        ManualTaskNotFound.
        """
        task = await self._get(tx, merchant_id, task_id)
        await self._repository.note_view(tx, task.id, viewer)
        log.info("manual_task_read", manual_task_id=str(task.id), viewer=viewer)
        return task

    async def complete(
        self,
        tx: Transaction,
        merchant_id: UUID,
        task_id: UUID,
        who: str,
        *,
        result: str,
        cost: Money | None,
    ) -> ManualTask:
        """It was done; `result` is told to the buyer. Raises ManualTaskNotFound, ManualTaskClosed,
        CostCurrencyWrong.
        """
        task = await self._get(tx, merchant_id, task_id)
        if cost and task.agreed_currency not in (None, cost.currency):
            raise CostCurrencyWrong(agreed=task.agreed_currency)
        done = replace(task, state=ManualState.COMPLETED, result=result, cost=cost)
        return await self._resolve(tx, done, who)

    async def fail(
        self, tx: Transaction, merchant_id: UUID, task_id: UUID, who: str, *, reason: str
    ) -> ManualTask:
        """It was definitely not done; the line's money goes back. Raises as `complete`."""
        task = await self._get(tx, merchant_id, task_id)
        return await self._resolve(tx, replace(task, state=ManualState.FAILED, result=reason), who)

    async def _get(self, tx: Transaction, merchant_id: UUID, task_id: UUID) -> ManualTask:
        found = await self._repository.find(tx, merchant_id, task_id)
        if found is None:
            raise ManualTaskNotFound
        return found

    async def _resolve(self, tx: Transaction, task: ManualTask, who: str) -> ManualTask:
        if not await self._repository.resolve(tx, replace(task, resolved_by=who)):
            raise ManualTaskClosed
        if task.waiter is not None:
            await wake_tasks(tx, [task.waiter])
        log.info("manual_task_resolved", manual_task_id=str(task.id), state=task.state, by=who)
        return await self._get(tx, task.merchant_id, task.id)
