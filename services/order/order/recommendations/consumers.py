"""Order's own news of orders that are over: each is counted once."""

from collections.abc import Sequence
from datetime import UTC
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.order.v1.order_events_pb2 import OrderCompleted, OrderPartiallyCompleted
from order.recommendations import service
from order.recommendations.domain import Completed


async def on_order_completed(tx: Transaction, events: Sequence[Event[OrderCompleted]]) -> None:
    await service.count(tx, [_completed(event) for event in events])


async def on_order_partially_completed(
    tx: Transaction, events: Sequence[Event[OrderPartiallyCompleted]]
) -> None:
    await service.count(tx, [_completed(event) for event in events])


def handlers() -> list[Handler]:
    return [
        handles(OrderCompleted, on_order_completed),
        handles(OrderPartiallyCompleted, on_order_partially_completed),
    ]


def _completed(event: Event[OrderCompleted] | Event[OrderPartiallyCompleted]) -> Completed:
    return Completed(UUID(event.message.order_id), event.time.astimezone(UTC).date())
