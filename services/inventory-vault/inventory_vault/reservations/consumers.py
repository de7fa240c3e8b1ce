from collections.abc import Sequence
from uuid import UUID

from inventory_vault.reservations.service import ReservationService
from kit.db import Transaction
from kit.messaging.consumer import Handler, handles
from kit.messaging.events import Event
from lockstock.order.v1.order_events_pb2 import (
    OrderCancelled,
    OrderExpired,
    OrderPaid,
    OrderRefunded,
)


def reservation_handlers(reservations: ReservationService) -> list[Handler]:
    """What orders do to their holds. Whole batches at a time; what is settled already stays so."""

    async def on_order_paid(tx: Transaction, events: Sequence[Event[OrderPaid]]) -> None:
        ids = [UUID(e.message.reservation_id) for e in events if e.message.reservation_id]
        await reservations.secure_many(tx, ids)

    async def on_order_cancelled(tx: Transaction, events: Sequence[Event[OrderCancelled]]) -> None:
        await _release(tx, [(e.message.reservation_id, e.message.reason) for e in events])

    async def on_order_expired(tx: Transaction, events: Sequence[Event[OrderExpired]]) -> None:
        await _release(tx, [(e.message.reservation_id, "order expired") for e in events])

    async def on_order_refunded(tx: Transaction, events: Sequence[Event[OrderRefunded]]) -> None:
        await _release(tx, [(e.message.reservation_id, e.message.reason) for e in events])

    async def _release(tx: Transaction, named: Sequence[tuple[str, str]]) -> None:
        reasons = {
            UUID(reservation_id): reason or "the order ended"
            for reservation_id, reason in named
            if reservation_id
        }
        await reservations.release_many(tx, reasons)

    return [
        handles(OrderPaid, on_order_paid),
        handles(OrderCancelled, on_order_cancelled),
        handles(OrderExpired, on_order_expired),
        handles(OrderRefunded, on_order_refunded),
    ]
