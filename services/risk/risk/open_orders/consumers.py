from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.order.v1.order_events_pb2 import OrderCancelled, OrderExpired, OrderPaid
from risk.open_orders.service import OpenOrderService


class OpenOrderConsumers:
    """An order's own events come in order: it is opened before it is closed."""

    def __init__(self, open_orders: OpenOrderService) -> None:
        self._open_orders = open_orders

    def handlers(self) -> list[Handler]:
        return [
            handles(OrderPaid, self.on_order_ended),
            handles(OrderCancelled, self.on_order_ended),
            handles(OrderExpired, self.on_order_ended),
        ]

    async def on_order_ended(
        self,
        tx: Transaction,
        events: Sequence[Event[OrderPaid] | Event[OrderCancelled] | Event[OrderExpired]],
    ) -> None:
        await self._open_orders.close(tx, [UUID(event.message.order_id) for event in events])
