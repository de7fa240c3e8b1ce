"""Lines that people of the merchant deliver: they wait in a queue until somebody has decided."""

from collections.abc import Sequence
from datetime import timedelta

from fulfillment.deliveries.domain import (
    Attempt,
    Delivered,
    Delivery,
    Failed,
    Kind,
    Line,
    LotCost,
    Retry,
    Settled,
    Task,
)
from fulfillment.loading import Parts
from fulfillment.manual_tasks.domain import DEFAULT_QUEUE, ManualState, ManualTask, id_of
from fulfillment.manual_tasks.service import ManualTaskService
from kit.db import Database

REFUSED = "refused_by_hand"
WAITS = "waits_for_a_person"
LOOK_AGAIN = timedelta(hours=1)
"""A decision wakes the task at once; this is for the case that the wake-up got lost."""


class ManualKind:
    """See the module's text. Each line is a task of its own."""

    name = "manual"
    batch_max = 200

    def __init__(self, db: Database, manual_tasks: ManualTaskService) -> None:
        self._db = db
        self._manual_tasks = manual_tasks

    def plan(self, lines: Sequence[Line]) -> list[list[Line]]:
        return [[line] for line in lines]

    async def attempt(self, tasks: Sequence[Task]) -> list[Attempt]:
        opened = [_manual_task(task) for task in tasks]
        async with self._db.transaction() as tx:
            await self._manual_tasks.open_many(tx, opened)
            found = await self._manual_tasks.find_many(tx, [task.id for task in opened])
        by_id = {task.id: task for task in found}
        return [
            _attempt(task, by_id[manual.id]) for task, manual in zip(tasks, opened, strict=True)
        ]


def _manual_task(task: Task) -> ManualTask:
    delivery = task.deliveries[0]
    terms = delivery.line.manual
    return ManualTask(
        id=id_of(delivery.id),
        merchant_id=delivery.merchant_id,
        queue=terms.queue if terms and terms.queue else DEFAULT_QUEUE,
        why=f"{delivery.line.sku} is delivered by hand",
        order_id=delivery.order_id,
        delivery_id=delivery.id,
        task_id=task.id,
    )


def _attempt(task: Task, manual: ManualTask) -> Attempt:
    delivery = task.deliveries[0]
    match manual.state:
        case ManualState.COMPLETED:
            return Settled(task, (_delivered(delivery, manual),))
        case ManualState.FAILED:
            return Settled(task, (Failed(delivery.id, REFUSED),))
        case ManualState.OPEN | ManualState.WITHDRAWN:
            return Retry(task, WAITS, task.generation, pause=LOOK_AGAIN)


def _delivered(delivery: Delivery, manual: ManualTask) -> Delivered:
    costs: tuple[LotCost, ...] = ()
    if manual.cost is not None:
        costs = (LotCost(None, 1, manual.cost, supplier=f"by-hand:{manual.queue}"),)
    return Delivered(delivery.id, (), costs, manual.result)


def create(parts: Parts) -> Kind:
    return ManualKind(parts.db, parts.manual_tasks)
