"""Accepting paid orders, and reading what became of them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fulfillment.deliveries.domain import (
    Delivery,
    DeliveryNotFound,
    Kind,
    Line,
    Request,
    Task,
    UnknownKind,
    plan_tasks,
)
from fulfillment.deliveries.repository import DeliveryRepository
from fulfillment.links import PageLink, PageLinks
from kit.db import Transaction
from kit.ids import new_id


class DeliveryService:
    def __init__(
        self, repository: DeliveryRepository, links: PageLinks, kinds: Mapping[str, Kind]
    ) -> None:
        self._repository = repository
        self._links = links
        self._kinds = kinds

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

    def url_of(self, request: Request) -> str:
        """The address of the page that shows the request."""
        return self._links.url(PageLink(request.page_id, request.page_ends_at))

    def _require_known_kinds(self, lines: Sequence[Line]) -> None:
        for line in lines:
            if line.kind not in self._kinds:
                raise UnknownKind(f"nothing here delivers lines of kind {line.kind!r}")
