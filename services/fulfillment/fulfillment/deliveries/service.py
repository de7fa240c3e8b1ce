"""Accepting paid orders, giving their tasks to workers, and writing down what came of it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from fulfillment.deliveries import events, repository
from fulfillment.deliveries.domain import (
    Attempt,
    Delivered,
    Delivery,
    DeliveryNotFound,
    Failed,
    Kind,
    Line,
    Request,
    Retry,
    Settled,
    Task,
    UnknownKind,
    pause_after,
    plan_tasks,
)
from fulfillment.deliveries.repository import DeliveryRepository
from fulfillment.links import PageLink, PageLinks
from kit.db import Transaction
from kit.ids import new_id
from kit.messaging import outbox
from kit.messaging.events import Cause, caused_by


class DeliveryService:
    def __init__(
        self,
        repository: DeliveryRepository,
        links: PageLinks,
        kinds: Mapping[str, Kind],
        *,
        lease: timedelta,
        pause_max: timedelta,
    ) -> None:
        self._repository = repository
        self._links = links
        self._kinds = kinds
        self._lease = lease
        self._pause_max = pause_max

    async def accept(
        self, tx: Transaction, orders: Sequence[tuple[Request, Sequence[Line]]]
    ) -> None:
        """Stores paid orders with one pending delivery per line and round; what is known already is
        left as it is. Raises UnknownKind when nothing here delivers a line."""
        for _, lines in orders:
            self._require_known_kinds(lines)
        seen: set[tuple[UUID, int]] = set()
        planned: list[tuple[Request, list[Task]]] = []
        for request, lines in orders:
            new = [line for line in lines if (line.line_id, line.round) not in seen]
            seen |= {(line.line_id, line.round) for line in new}
            planned.append((request, plan_tasks(request, new, self._kinds, new_id)))
        await self._repository.add(tx, planned)

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
            await self._settle(tx, settled)
        if retries:
            await self._postpone(tx, retries)

    async def note_refunds(self, tx: Transaction, line_ids: Sequence[UUID]) -> None:
        """The money of these lines is back with the buyer."""
        if line_ids:
            await self._repository.note_refunds(tx, line_ids)

    async def note_whole_refunds(self, tx: Transaction, order_ids: Sequence[UUID]) -> None:
        """All money of these orders is back with the buyer."""
        await self._repository.note_whole_refunds(tx, order_ids)

    async def get_delivery(
        self, tx: Transaction, merchant_id: UUID, delivery_id: UUID
    ) -> tuple[Delivery, str]:
        """The delivery and its page's address; raises DeliveryNotFound."""
        found = await self._repository.find_delivery(tx, merchant_id, delivery_id)
        if found is None:
            raise DeliveryNotFound
        request, delivery = found
        return delivery, self.url_of(request)

    async def list_deliveries(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        order_id: UUID | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[tuple[Delivery, str]]:
        """A merchant's deliveries with their pages' addresses, newest first."""
        found = await self._repository.list_deliveries(
            tx, merchant_id, order_id=order_id, after=after, limit=limit
        )
        return [(delivery, self.url_of(request)) for request, delivery in found]

    async def find_page(
        self, tx: Transaction, page_id: UUID, positions: range
    ) -> tuple[Request, Sequence[Delivery]] | None:
        """The order a buyer's page shows; each line with its units at `positions`."""
        found = await self._repository.list_of_page(tx, page_id, positions)
        return (found[0][0], [delivery for _, delivery in found]) if found else None

    def url_of(self, request: Request) -> str:
        """The address of the page that shows the request."""
        return self._links.url(PageLink(request.page_id, request.page_ends_at))

    def _require_known_kinds(self, lines: Sequence[Line]) -> None:
        for line in lines:
            if line.kind not in self._kinds:
                raise UnknownKind(f"nothing here delivers lines of kind {line.kind!r}")

    async def _settle(self, tx: Transaction, settled: Sequence[Settled]) -> None:
        own = await self._repository.settle(tx, settled)
        for one in settled:
            if one.task.id in own:
                self._tell(tx, one)

    def _tell(self, tx: Transaction, settled: Settled) -> None:
        request = settled.task.request
        deliveries = {delivery.id: delivery for delivery in settled.task.deliveries}
        for outcome in settled.outcomes:
            delivery = deliveries[outcome.delivery_id]
            _publish(tx, request, _message(delivery, outcome, self.url_of(request)))

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
        for delivery_id in await self._repository.mark_unknown(tx, list(unknown)):
            retry, delivery = unknown[delivery_id]
            _publish(tx, retry.task.request, events.line_unknown(delivery, retry))

    def _pause(self, retry: Retry) -> timedelta:
        if retry.pause is not None:
            return retry.pause
        return pause_after(retry.task.attempts, self._pause_max)


async def wake_tasks(tx: Transaction, task_ids: Sequence[UUID]) -> None:
    """Something that these tasks wait for has come: they are due now. Whoever works on one just
    now no longer holds it, so what it decided without knowing better is not written down."""
    await repository.wake_tasks(tx, task_ids)


def _publish(tx: Transaction, request: Request, message: events.DeliveryEvent) -> None:
    key = str(request.order_id)
    with caused_by({key: Cause(request.traceparent, request.request_id)}):
        outbox.add(tx, message, key=key, merchant_id=request.merchant_id)


def _message(delivery: Delivery, outcome: Delivered | Failed, url: str) -> events.DeliveryEvent:
    if isinstance(outcome, Delivered):
        return events.line_delivered(delivery, outcome, url)
    return events.line_failed(delivery, outcome)
