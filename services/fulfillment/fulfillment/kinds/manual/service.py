"""Lines that the merchant delivers: its own system is asked first, where the product names one.
What it does not decide, and every other line, waits in a queue until somebody has decided."""

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
from fulfillment.fulfiller_calls.domain import CallState, Form, FulfillerCall, reference_of
from fulfillment.fulfiller_calls.service import Asked, FulfillerCallService
from fulfillment.loading import Parts
from fulfillment.manual_tasks.domain import DEFAULT_QUEUE, ManualState, ManualTask, id_of
from fulfillment.manual_tasks.service import ManualTaskService
from kit.db import Database
from kit.money import Money

REFUSED = "refused_by_hand"
REFUSED_BY_SYSTEM = "refused_by_fulfiller"
WAITS = "waits_for_a_person"
LOOK_AGAIN = timedelta(hours=1)
"""A decision wakes the task at once; this is for the case that the wake-up got lost."""


class ManualKind:
    """See the module's text. Each line is a task of its own."""

    name = "manual"
    batch_max = 200
    rounds_max = 1

    def __init__(
        self, db: Database, manual_tasks: ManualTaskService, calls: FulfillerCallService
    ) -> None:
        self._db = db
        self._manual_tasks = manual_tasks
        self._calls = calls

    def plan(self, lines: Sequence[Line]) -> list[list[Line]]:
        return [[line] for line in lines]

    async def attempt(self, tasks: Sequence[Task]) -> list[Attempt]:
        asked = await self._ask(await self._without_people([it for it in tasks if _fulfiller(it)]))
        for_people = [task for task in tasks if _is_for_people(task, asked)]
        decided = await self._decided(for_people, asked)
        return [
            _attempt(task, decided[id_of(task.deliveries[0].id)])
            if id_of(task.deliveries[0].id) in decided
            else _answered(task, asked[_reference(task)])
            for task in tasks
        ]

    async def _without_people(self, tasks: Sequence[Task]) -> list[Task]:
        """Those that wait for nobody. What a person may be at, or has decided, is not asked of a
        system that was set up or switched on since: both would deliver it.
        """
        if not tasks:
            return []
        ids = {id_of(task.deliveries[0].id): task for task in tasks}
        async with self._db.read() as tx:
            found = await self._manual_tasks.find_many(tx, list(ids))
        for each in found:
            if each.state is not ManualState.WITHDRAWN:
                ids.pop(each.id)
        return list(ids.values())

    async def _ask(self, tasks: Sequence[Task]) -> dict[str, Asked]:
        if not tasks:
            return {}
        asked = await self._calls.ask(self._db, [(_call(task), _form(task)) for task in tasks])
        return {_reference(task): each for task, each in zip(tasks, asked, strict=True)}

    async def _decided(
        self, tasks: Sequence[Task], asked: dict[str, Asked]
    ) -> dict[object, ManualTask]:
        """What people have decided so far, by the ids of their tasks."""
        if not tasks:
            return {}
        opened = [_manual_task(task, asked.get(_reference(task))) for task in tasks]
        async with self._db.transaction() as tx:
            await self._manual_tasks.open_many(tx, opened)
            found = await self._manual_tasks.find_many(tx, [task.id for task in opened])
        return {task.id: task for task in found}


def _fulfiller(task: Task) -> str:
    terms = task.deliveries[0].line.manual
    return terms.fulfiller if terms else ""


def _reference(task: Task) -> str:
    return str(reference_of(task.deliveries[0].id))


def _is_for_people(task: Task, asked: dict[str, Asked]) -> bool:
    """No system is named, none is set up under that name, people have it already, or the system's
    time is over."""
    if _reference(task) not in asked:
        return True
    call = asked[_reference(task)].call
    return call is None or call.state is CallState.MANUAL


def _call(task: Task) -> FulfillerCall:
    delivery = task.deliveries[0]
    return FulfillerCall(
        id=reference_of(delivery.id),
        merchant_id=delivery.merchant_id,
        order_id=delivery.order_id,
        delivery_id=delivery.id,
        task_id=task.id,
        fulfiller=_fulfiller(task),
    )


def _form(task: Task) -> Form:
    line = task.deliveries[0].line
    return Form(task.request.reference, line.sku, line.name, line.quantity, dict(line.inputs))


def _manual_task(task: Task, asked: Asked | None) -> ManualTask:
    delivery = task.deliveries[0]
    terms = delivery.line.manual
    queue = (asked.queue if asked else "") or (terms.queue if terms else "")
    return ManualTask(
        id=id_of(delivery.id),
        merchant_id=delivery.merchant_id,
        queue=queue or DEFAULT_QUEUE,
        why=_why(task, asked),
        order_id=delivery.order_id,
        delivery_id=delivery.id,
        task_id=task.id,
    )


def _why(task: Task, asked: Asked | None) -> str:
    sku, name = task.deliveries[0].line.sku, _fulfiller(task)
    if asked is None:
        return f"{sku} is delivered by hand"
    if asked.call is None:
        return f"{sku}: no fulfiller {name} is set up and switched on"
    return f"{sku}: {name} did not decide in time: {asked.call.reason or 'accepted'}"


def _answered(task: Task, asked: Asked) -> Attempt:
    """Of a call that nobody needs to look at."""
    delivery, call = task.deliveries[0], asked.call
    assert call is not None
    match call.state:
        case CallState.DONE:
            costs = _costs(call.cost, f"fulfiller:{call.fulfiller}")
            return Settled(task, (Delivered(delivery.id, (), costs, call.result),))
        case CallState.FAILED:
            refusals = ((call.fulfiller, call.reason),)
            return Settled(task, (Failed(delivery.id, REFUSED_BY_SYSTEM, refusals),))
        case CallState.UNKNOWN | CallState.SENT:
            return Retry(
                task,
                call.reason or "no_answer",
                task.generation,
                is_unknown=call.state is CallState.UNKNOWN,
                pause=asked.pause,
                supplier=call.fulfiller,
            )
        case CallState.INTENT | CallState.ACCEPTED | CallState.MANUAL:
            return Retry(task, call.reason or "accepted", task.generation, pause=asked.pause)


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
    costs = _costs(manual.cost, f"by-hand:{manual.queue}")
    return Delivered(delivery.id, (), costs, manual.result)


def _costs(cost: Money | None, supplier: str) -> tuple[LotCost, ...]:
    return () if cost is None else (LotCost(None, 1, cost, supplier=supplier),)


def create(parts: Parts) -> Kind:
    return ManualKind(parts.db, parts.manual_tasks, parts.fulfiller_calls)
