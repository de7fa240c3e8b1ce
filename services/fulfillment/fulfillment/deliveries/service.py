"""Accepting paid orders, and reading what became of them."""

import asyncio
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from fulfillment.deliveries.domain import (
    Delivery,
    DeliveryNotFound,
    Kind,
    Line,
    Planned,
    Request,
    Settled,
    TriesAtOnce,
    UnknownKind,
    plan_tasks,
)
from fulfillment.deliveries.events import page_link_changed
from fulfillment.deliveries.repository import DeliveryRepository
from fulfillment.links import PageLink, PageLinks
from kit.db import Transaction
from kit.ids import new_id
from kit.logging import get_logger
from kit.messaging import outbox

FIRST_TRY_TASKS_MAX = 200
FIRST_TRY_SECONDS_MAX = 1.0
FIRST_TRY_REST_SECONDS = 5.0

log = get_logger(__name__)


class DeliveryService:
    def __init__(
        self, repository: DeliveryRepository, links: PageLinks, kinds: Mapping[str, Kind]
    ) -> None:
        self._repository = repository
        self._links = links
        self._kinds = kinds

    def plan(self, orders: Sequence[tuple[Request, Sequence[Line]]]) -> list[Planned]:
        """Paid orders with their tasks, each line and round once. Raises UnknownKind when nothing
        here delivers a line."""
        for _, lines in orders:
            self._require_known_kinds(lines)
        seen: set[tuple[UUID, int]] = set()
        planned: list[Planned] = []
        for request, lines in orders:
            new = [line for line in lines if (line.line_id, line.round) not in seen]
            seen |= {(line.line_id, line.round) for line in new}
            planned.append(Planned(request, plan_tasks(request, new, self._kinds, new_id)))
        return planned

    async def accept(self, tx: Transaction, planned: Sequence[Planned]) -> Set[UUID]:
        """Stores paid orders with one delivery per line and round, pending or as it ended already;
        what is known is left as it is. Answers the ids of the deliveries that are new."""
        return await self._repository.add(tx, planned)

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

    async def find_orders(
        self, tx: Transaction, order_ids: Sequence[UUID], positions: range
    ) -> Mapping[UUID, tuple[Request, Sequence[Delivery]]]:
        """What became of whole orders; each line, in its last round, with its units at
        `positions`.
        """
        orders: dict[UUID, tuple[Request, list[Delivery]]] = {}
        for request, delivery in await self._repository.list_of_orders(tx, order_ids, positions):
            orders.setdefault(request.order_id, (request, []))[1].append(delivery)
        return orders

    async def renew_link(
        self, tx: Transaction, merchant_id: UUID, delivery_id: UUID, life: timedelta
    ) -> PageLink:
        """A new link to the page that shows the delivery; every older one has ended, and so has the
        new one when `life` is nothing. The others are told. Raises DeliveryNotFound.
        """
        found = await self._repository.renew_page(tx, merchant_id, delivery_id, new_id(), life)
        if found is None:
            raise DeliveryNotFound
        order_id, link = found
        event = page_link_changed(order_id, merchant_id, self._links.url(link), link.ends_at)
        outbox.add(tx, event, key=order_id, merchant_id=merchant_id)
        return link

    def url_of_link(self, link: PageLink) -> str:
        return self._links.url(link)

    def url_of(self, request: Request) -> str:
        """The address of the page that shows the request."""
        return self._links.url(PageLink(request.page_id, request.page_ends_at))

    def _require_known_kinds(self, lines: Sequence[Line]) -> None:
        for line in lines:
            if line.kind not in self._kinds:
                raise UnknownKind(f"nothing here delivers lines of kind {line.kind!r}")


class FirstTry:
    """Ends what can be ended before anything is written down: nobody waits for a task to be stored
    and taken. Where that fails, the tasks are stored as they are, and worked on as usual.
    """

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = [kind for kind in kinds.values() if isinstance(kind, TriesAtOnce)]
        self._rests_until = 0.0

    async def __call__(self, planned: Sequence[Planned]) -> Sequence[Planned]:
        """The same, with the ends their tasks came to. Called outside any transaction."""
        settled: dict[UUID, Settled] = {}
        for kind in self._kinds if time.monotonic() >= self._rests_until else ():
            tasks = [task for it in planned for task in it.tasks if task.kind == kind.name]
            try:
                async with asyncio.timeout(FIRST_TRY_SECONDS_MAX):
                    ends = await kind.try_at_once(
                        [replace(task, lease_id=new_id()) for task in tasks[:FIRST_TRY_TASKS_MAX]]
                    )
            except Exception as error:  # whatever it is, the usual way meets it and answers for it
                log.warning("first_try_failed", kind=kind.name, why=type(error).__name__)
                self._rests_until = time.monotonic() + FIRST_TRY_REST_SECONDS
            else:
                settled |= {end.task.id: end for end in ends}
        return [it.with_ends(settled) for it in planned]
