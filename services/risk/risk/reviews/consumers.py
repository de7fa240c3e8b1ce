from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.order.v1.order_events_pb2 import OrderCancelled, OrderExpired, OrderHeld
from risk.reviews.service import ReviewService


class ReviewConsumers:
    def __init__(self, reviews: ReviewService) -> None:
        self._reviews = reviews

    def handlers(self) -> list[Handler]:
        return [
            handles(OrderCancelled, self.on_order_cancelled),
            handles(OrderExpired, self.on_order_expired),
            handles(OrderHeld, self.on_order_held),
        ]

    async def on_order_cancelled(
        self, tx: Transaction, events: Sequence[Event[OrderCancelled]]
    ) -> None:
        await self._reviews.lapse(tx, [UUID(event.message.order_id) for event in events])

    async def on_order_expired(
        self, tx: Transaction, events: Sequence[Event[OrderExpired]]
    ) -> None:
        await self._reviews.lapse(tx, [UUID(event.message.order_id) for event in events])

    async def on_order_held(self, tx: Transaction, events: Sequence[Event[OrderHeld]]) -> None:
        await self._reviews.reopen(tx, [UUID(event.message.order_id) for event in events])
