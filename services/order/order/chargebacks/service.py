from uuid import UUID

from kit.db import Transaction
from kit.messaging import outbox
from order.chargebacks import domain, events
from order.chargebacks.domain import Chargeback
from order.orders import service as orders
from order.orders.domain import Change, Order
from order.timeline import service as timeline


async def note(
    tx: Transaction, merchant_id: UUID, order_id: UUID, chargeback: Chargeback, cause: str
) -> Order:
    """On the timeline, and told to risk; once for each reference. Raises OrderNotFound,
    OrderNotPaid.
    """
    order, _ = await orders.lock_own(tx, merchant_id, order_id)
    change = domain.note(Change(order, cause), chargeback)
    known = {"reference": chargeback.reference}
    if await timeline.is_told(tx, order.id, domain.TOLD, known):
        return order
    await orders.save_many(tx, [change])
    event = events.chargeback_received(order, chargeback)
    outbox.add(tx, event, key=order.id, merchant_id=merchant_id)
    return order
