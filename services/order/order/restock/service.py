from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from kit.messaging import outbox
from order.catalogue import service as catalogue
from order.catalogue.domain import PoolFulfillment, ProductNotFound
from order.restock import events, repository
from order.restock.domain import (
    NotFromPool,
    RestockRequest,
    RestockRequestClosed,
    RestockRequestNotFound,
    RestockStatus,
    StillInStock,
    Wanted,
)

NOTICES_MAX = 200
POOLS_MAX = 20


async def request(tx: Transaction, wanted: Wanted) -> RestockRequest:
    """The buyer waits for the product, once: again changes the contact only.

    Raises ProductNotFound, NotFromPool, StillInStock.
    """
    found = await catalogue.find_by_sku(tx, [(wanted.merchant_id, wanted.sku)])
    product = found.get((wanted.merchant_id, wanted.sku))
    if product is None:
        raise ProductNotFound(sku=wanted.sku)
    if not isinstance(product.fulfillment, PoolFulfillment):
        raise NotFromPool(sku=wanted.sku)
    pool_id = product.fulfillment.pool_id
    if await repository.is_in_stock(tx, pool_id):
        raise StillInStock(sku=wanted.sku)
    return await repository.add(tx, new_id(), wanted, product_id=product.id, pool_id=pool_id)


async def tell_due(tx: Transaction) -> bool:
    """Publishes RestockNoticeDue for those who waited longest, as many as units came back, at most
    `NOTICES_MAX` for each pool at a time. Answers whether more may be due.
    """
    pools = await repository.take_pools(tx, POOLS_MAX)
    if not pools:
        return False
    due = await repository.make_due(tx, [(pool, min(units, NOTICES_MAX)) for pool, units in pools])
    for each in due:
        message = events.notice_due(each)
        outbox.add(tx, message, key=each.id, merchant_id=each.merchant_id)
    return bool(due)


async def list_requests(
    tx: Transaction, merchant_id: UUID, status: RestockStatus, *, after: UUID | None, limit: int
) -> Sequence[RestockRequest]:
    """The oldest first."""
    return await repository.list_requests(tx, merchant_id, status, after=after, limit=limit)


async def mark_sent(tx: Transaction, merchant_id: UUID, request_id: UUID) -> RestockRequest:
    """The notice went out: its contact is forgotten. Again changes nothing.

    Raises RestockRequestNotFound, RestockRequestClosed for one that is not due.
    """
    found = await _lock(tx, merchant_id, request_id)
    if found.status is RestockStatus.SENT:
        return found
    if found.status is not RestockStatus.DUE:
        raise RestockRequestClosed(f"the request is {found.status}", status=found.status.value)
    return await repository.end(tx, request_id, RestockStatus.SENT)


async def withdraw(tx: Transaction, merchant_id: UUID, request_id: UUID) -> RestockRequest:
    """The buyer does not want to hear of it any more. Again changes nothing.

    Raises RestockRequestNotFound, RestockRequestClosed for one whose notice was sent.
    """
    found = await _lock(tx, merchant_id, request_id)
    if found.status is RestockStatus.WITHDRAWN:
        return found
    if found.contact is None:
        raise RestockRequestClosed(f"the request is {found.status}", status=found.status.value)
    return await repository.end(tx, request_id, RestockStatus.WITHDRAWN)


async def lapse(tx: Transaction, days: int, limit: int) -> int:
    """Forgets the contacts of requests that are too old; answers how many."""
    return await repository.lapse(tx, days, limit)


async def _lock(tx: Transaction, merchant_id: UUID, request_id: UUID) -> RestockRequest:
    found = await repository.lock(tx, merchant_id, request_id)
    if found is None:
        raise RestockRequestNotFound(request_id=str(request_id))
    return found
