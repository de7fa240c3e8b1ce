"""Giving tasks to workers, and writing down what came of them."""

from collections.abc import Sequence, Set
from datetime import timedelta
from uuid import UUID

from fulfillment.deliveries.domain import (
    Attempt,
    Delivered,
    Delivery,
    Failed,
    Kind,
    Request,
    Retry,
    Settled,
    Task,
    pause_after,
)
from fulfillment.deliveries.service import DeliveryService
from fulfillment.messages.service import MessageService
from fulfillment.tasks import events, repository
from fulfillment.tasks.repository import TaskRepository
from kit.db import Transaction
from kit.ids import new_id
from kit.messaging import outbox
from kit.messaging.events import Cause, caused_by


class TaskService:
    def __init__(
        self,
        repository: TaskRepository,
        deliveries: DeliveryService,
        messages: MessageService,
        *,
        lease: timedelta,
        pause_max: timedelta,
    ) -> None:
        self._repository = repository
        self._deliveries = deliveries
        self._messages = messages
        self._lease = lease
        self._pause_max = pause_max

    async def take(self, tx: Transaction, kind: Kind, limit: int) -> list[Task]:
        """Up to `limit` due tasks, this caller's alone until the lease ends."""
        return await self._repository.take_tasks(tx, kind.name, new_id(), self._lease, limit)

    async def record(self, tx: Transaction, attempts: Sequence[Attempt]) -> None:
        """Writes down what came of tasks and tells the others.

        A task whose lease went to another worker is left to that worker: its claim of the same
        units comes to the same end.
        """
        settled = [attempt for attempt in attempts if isinstance(attempt, Settled)]
        retries = [attempt for attempt in attempts if isinstance(attempt, Retry)]
        if settled:
            self.tell(tx, settled, await self._repository.settle(tx, settled))
        if retries:
            await self._postpone(tx, retries)

    def tell(self, tx: Transaction, settled: Sequence[Settled], own: Set[UUID]) -> None:
        """Tells the others what came of those deliveries that are `own`."""
        for one in settled:
            self._publish_ends(tx, one, own)
        self._messages.note(
            tx,
            [
                one.task.request.order_id
                for one in settled
                if any(outcome.delivery_id in own for outcome in one.outcomes)
            ],
        )

    def _publish_ends(self, tx: Transaction, settled: Settled, own: Set[UUID]) -> None:
        request = settled.task.request
        deliveries = {delivery.id: delivery for delivery in settled.task.deliveries}
        for outcome in settled.outcomes:
            if outcome.delivery_id not in own:
                continue
            delivery = deliveries[outcome.delivery_id]
            _publish(tx, request, _message(delivery, outcome, self._deliveries.url_of(request)))

    async def _postpone(self, tx: Transaction, retries: Sequence[Retry]) -> None:
        paused = [(retry, self._pause(retry)) for retry in retries]
        own = await self._repository.postpone_tasks(tx, paused)
        unknown = {
            delivery.id: (retry, delivery)
            for retry in retries
            if retry.is_unknown and retry.task.id in own
            for delivery in retry.task.deliveries
        }
        if not unknown:
            return
        marked = [unknown[id_] for id_ in await self._repository.mark_unknown(tx, list(unknown))]
        for retry, delivery in marked:
            _publish(tx, retry.task.request, events.line_unknown(delivery, retry))
        self._messages.note(tx, [delivery.order_id for _, delivery in marked])

    def _pause(self, retry: Retry) -> timedelta:
        if retry.pause is not None:
            return retry.pause
        return pause_after(retry.task.attempts, self._pause_max)


async def wake_tasks(tx: Transaction, task_ids: Sequence[UUID]) -> None:
    """Something that these tasks or procurements wait for has come: they are due now. Whoever works
    on one just now no longer holds it, so what it decided without knowing better is not written
    down."""
    await repository.wake_tasks(tx, task_ids)


def _publish(tx: Transaction, request: Request, message: events.DeliveryEvent) -> None:
    key = str(request.order_id)
    with caused_by({key: Cause(request.traceparent, request.request_id)}):
        outbox.add(tx, message, key=key, merchant_id=request.merchant_id)


def _message(delivery: Delivery, outcome: Delivered | Failed, url: str) -> events.DeliveryEvent:
    if isinstance(outcome, Delivered):
        return events.line_delivered(delivery, outcome, url)
    return events.line_failed(delivery, outcome)
