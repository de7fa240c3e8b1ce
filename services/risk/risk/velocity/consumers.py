from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.order.v1.order_events_pb2 import (
    OrderCancelled,
    OrderExpired,
    OrderRefunded,
    PaymentFailed,
)
from risk.velocity.service import VelocityService
from risk.windows.domain import Outcome


class VelocityConsumers:
    """What becomes of purchases counts too."""

    def __init__(self, velocity: VelocityService) -> None:
        self._velocity = velocity

    def handlers(self) -> list[Handler]:
        return [
            handles(OrderCancelled, self.on_order_cancelled),
            handles(OrderExpired, self.on_order_expired),
            handles(OrderRefunded, self.on_order_refunded),
            handles(PaymentFailed, self.on_payment_failed),
        ]

    async def on_order_cancelled(
        self, tx: Transaction, events: Sequence[Event[OrderCancelled]]
    ) -> None:
        orders = [UUID(event.message.order_id) for event in events]
        await self._velocity.settle(tx, [(it, Outcome.UNPAID) for it in orders])

    async def on_order_expired(
        self, tx: Transaction, events: Sequence[Event[OrderExpired]]
    ) -> None:
        orders = [UUID(event.message.order_id) for event in events]
        await self._velocity.settle(tx, [(it, Outcome.UNPAID) for it in orders])

    async def on_order_refunded(
        self, tx: Transaction, events: Sequence[Event[OrderRefunded]]
    ) -> None:
        orders = [UUID(event.message.order_id) for event in events]
        await self._velocity.settle(tx, [(it, Outcome.REFUNDED) for it in orders])

    async def on_payment_failed(
        self, tx: Transaction, events: Sequence[Event[PaymentFailed]]
    ) -> None:
        orders = [UUID(event.message.order_id) for event in events]
        await self._velocity.settle(tx, [(it, Outcome.FAILED) for it in orders])
