"""The book of orders: locks them, writes decisions with their story and their news, reads them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message

from kit.db import Transaction
from kit.messaging import outbox
from order.coupons import service as coupons
from order.deliveries import service as deliveries
from order.orders import events, repository
from order.orders.domain import Change, News, Order, OrderNotFound, OrderStatus, OrderView
from order.recommendations import service as recommendations
from order.refunds import service as refunds
from order.steps import service as steps
from order.timeline import service as timeline
from order.timeline.domain import ToldEntry

_DELIVERED = frozenset({News.COMPLETED, News.PARTIALLY_COMPLETED})


@dataclass(frozen=True, slots=True)
class Locked:
    """Orders whose rows are held by this transaction, and the database's time."""

    orders: dict[UUID, Order]
    now: datetime

    def get(self, order_id: UUID) -> Order:
        """Raises OrderNotFound."""
        order = self.orders.get(order_id)
        if order is None:
            raise OrderNotFound(order_id=str(order_id))
        return order

    def get_own(self, merchant_id: UUID, order_id: UUID) -> Order:
        """Raises OrderNotFound, also for another merchant's order."""
        order = self.get(order_id)
        if order.merchant_id != merchant_id:
            raise OrderNotFound(order_id=str(order_id))
        return order


async def add_many(tx: Transaction, changes: Sequence[Change]) -> set[UUID]:
    """Writes new orders; answers the ids of those whose reference was free in its channel. `tell`
    of these when the rest is written.
    """
    return await repository.add_many(tx, [change.order for change in changes])


def announcement(order: Order) -> Message:
    """What is published when the order is placed."""
    return events.word(News.PLACED, order)


async def lock_many(tx: Transaction, ids: Iterable[UUID]) -> Locked:
    """Locks orders in the order of their ids; those that do not exist are left out."""
    found, now = await repository.lock_many(tx, ids)
    return Locked({order.id: order for order in found}, now)


async def lock_own(tx: Transaction, merchant_id: UUID, order_id: UUID) -> tuple[Order, datetime]:
    """One order of the merchant, locked, and the database's time. Raises OrderNotFound."""
    locked = await lock_many(tx, [order_id])
    return locked.get_own(merchant_id, order_id), locked.now


async def take_unpaid_due(tx: Transaction, limit: int) -> Sequence[Order]:
    """Orders not paid in time, locked, at most `limit`."""
    return await repository.take_unpaid_due(tx, limit)


async def save_many(tx: Transaction, changes: Sequence[Change]) -> None:
    """Writes changes of locked orders in a constant number of statements; repeats write nothing."""
    changes = [change for change in changes if not change.is_empty]
    if not changes:
        return
    await repository.update_many(tx, changes)
    deliveries.note(tx, [outcome for change in changes for outcome in change.outcomes])
    await coupons.give_back(
        tx,
        unpaid=_those(changes, OrderStatus.CANCELLED, OrderStatus.EXPIRED),
        refunded=_those(changes, OrderStatus.REFUNDED),
    )
    await refunds.owe(tx, [refund for change in changes for refund in change.refunds])
    await steps.plan(tx, [step for change in changes for step in change.steps])
    await recommendations.owe(tx, [it for change in changes for it in _bought_together(change)])
    tell(tx, changes)


def _those(changes: Sequence[Change], *statuses: OrderStatus) -> list[UUID]:
    return [change.order.id for change in changes if change.order.status in statuses]


def _bought_together(change: Change) -> list[tuple[UUID, UUID]]:
    """The order with its merchant, when it ends now with more than one product to speak of."""
    order = change.order
    is_several = len({line.product_id for line in order.lines}) > 1
    ends = is_several and any(news in _DELIVERED for news, _ in change.news)
    return [(order.id, order.merchant_id)] if ends else []


def tell(tx: Transaction, changes: Sequence[Change]) -> None:
    """The story and the news of changes that are written."""
    timeline.tell(tx, [entry for change in changes for entry in change.entries])
    for change in changes:
        for news, order in change.news:
            message = events.word(news, order)
            outbox.add(tx, message, key=order.id, merchant_id=order.merchant_id)
        for money, order in change.money:
            message = events.word_money(money, order)
            outbox.add(tx, message, key=order.id, merchant_id=order.merchant_id)


async def find_references(
    tx: Transaction, wanted: Sequence[tuple[UUID, UUID, str]]
) -> tuple[dict[tuple[UUID, str], UUID], datetime]:
    """The orders behind those (merchant, channel, reference) that are taken, and the time."""
    return await repository.find_references(tx, wanted)


async def get_order(tx: Transaction, merchant_id: UUID, order_id: UUID) -> Order:
    """Raises OrderNotFound, also for another merchant's order."""
    found = await repository.find_many(tx, [order_id])
    if not found or found[0].merchant_id != merchant_id:
        raise OrderNotFound(order_id=str(order_id))
    return found[0]


async def get_view(tx: Transaction, merchant_id: UUID, order_id: UUID) -> OrderView:
    """Raises OrderNotFound, also for another merchant's order."""
    return (await _views(tx, [await get_order(tx, merchant_id, order_id)]))[0]


async def list_orders(tx: Transaction, ids: Sequence[UUID]) -> Sequence[Order]:
    """Those of the orders that exist, in the order of `ids`."""
    found = {order.id: order for order in await repository.find_many(tx, ids)}
    return [found[each] for each in ids if each in found]


async def list_views(tx: Transaction, ids: Sequence[UUID]) -> Sequence[OrderView]:
    """Those of the orders that exist, in the order of `ids`."""
    return await _views(tx, await list_orders(tx, ids))


async def _views(tx: Transaction, found: Sequence[Order]) -> list[OrderView]:
    if not found:
        return []
    made = await deliveries.find_of_orders(tx, [order.id for order in found])
    return [OrderView(order, made.get(order.id, ())) for order in found]


async def list_timeline(
    tx: Transaction, merchant_id: UUID, order_id: UUID, *, after: int, limit: int
) -> Sequence[ToldEntry]:
    """Raises OrderNotFound."""
    await get_order(tx, merchant_id, order_id)
    return await timeline.list_entries(tx, order_id, after=after, limit=limit)
