"""Finds a merchant's orders, page by page, and takes them out as a table."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from kit.db import Database, Transaction
from kit.ids import new_id
from order.orders import service as orders
from order.orders.domain import OrderView
from order.search import repository
from order.search.domain import EmptyRange, Export, Filter, Place, csv_head, csv_of

EXPORT_PAGE_ORDERS = 500
"""What an export keeps in memory at a time."""


class SearchService:
    """Each page is a short transaction of its own: nothing is held open for a slow reader."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(
        self, merchant_id: UUID, wanted: Filter, *, after: Place | None, limit: int
    ) -> Sequence[tuple[Place, OrderView]]:
        """The newest first. Raises EmptyRange."""
        _check(wanted)
        async with self._db.transaction() as tx:
            places = await repository.find(tx, merchant_id, wanted, after=after, limit=limit)
            views = await orders.list_views(tx, [place.order_id for place in places])
        return list(zip(places, views, strict=True))

    async def begin_export(
        self, merchant_id: UUID, wanted: Filter, requested_by: str, *, has_contacts: bool
    ) -> UUID:
        """Writes down who takes what out, before anything is. Raises EmptyRange."""
        _check(wanted)
        export_id = new_id()
        async with self._db.transaction() as tx:
            await repository.begin_export(
                tx, export_id, merchant_id, requested_by, wanted, has_contacts=has_contacts
            )
        return export_id

    async def export(
        self, export_id: UUID, merchant_id: UUID, wanted: Filter, *, has_contacts: bool
    ) -> AsyncIterator[bytes]:
        """CSV, one row for each order line. Rows are counted in the record before they go out."""
        yield csv_head().encode()
        after: Place | None = None
        while True:
            async with self._db.read() as tx:
                places = await repository.find(
                    tx, merchant_id, wanted, after=after, limit=EXPORT_PAGE_ORDERS
                )
                found = await orders.list_orders(tx, [place.order_id for place in places])
            # Between the two: a page takes its time to write, and no transaction waits for it.
            written, rows = csv_of(found, has_contacts=has_contacts)
            is_last = len(places) < EXPORT_PAGE_ORDERS
            async with self._db.transaction() as tx:
                await repository.count_export(
                    tx, export_id, orders=len(found), rows=rows, is_last=is_last
                )
            yield written.encode()
            if is_last:
                return
            after = places[-1]


async def list_exports(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Export]:
    """The newest first."""
    return await repository.list_exports(tx, merchant_id, after=after, limit=limit)


def _check(wanted: Filter) -> None:
    ranges = ((wanted.placed_from, wanted.placed_to), (wanted.paid_from, wanted.paid_to))
    for begin, end in ranges:
        if begin is not None and end is not None and end <= begin:
            raise EmptyRange
