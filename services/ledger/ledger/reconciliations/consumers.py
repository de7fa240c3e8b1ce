from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from ledger.reconciliations.domain import Payment
from ledger.reconciliations.service import ReconciliationService
from lockstock.order.v1.order_events_pb2 import OrderPaid, OrderPlaced, PaymentReceived


class ReconciliationConsumers:
    """Keeps what arrived, by the numbers that statements name."""

    def __init__(self, reconciliations: ReconciliationService) -> None:
        self._reconciliations = reconciliations

    def handlers(self) -> list[Handler]:
        return [
            handles(OrderPlaced, self.on_order_placed),
            handles(OrderPaid, self.on_order_paid),
            handles(PaymentReceived, self.on_payment_received),
        ]

    async def on_order_placed(self, tx: Transaction, events: Sequence[Event[OrderPlaced]]) -> None:
        references = [
            (
                UUID(event.message.order_id),
                UUID(event.message.merchant_id),
                UUID(event.message.channel_id),
                event.message.reference,
            )
            for event in events
            if event.message.reference
        ]
        await self._reconciliations.tell_references(tx, references)

    async def on_order_paid(self, tx: Transaction, events: Sequence[Event[OrderPaid]]) -> None:
        """The last payment: what came earlier was told by PaymentReceived."""
        payments = [
            _payment(event, event.message.amount.amount_minor - event.message.earlier.amount_minor)
            for event in events
        ]
        await self._reconciliations.tell_payments(tx, payments)

    async def on_payment_received(
        self, tx: Transaction, events: Sequence[Event[PaymentReceived]]
    ) -> None:
        payments = [_payment(event, event.message.amount.amount_minor) for event in events]
        await self._reconciliations.tell_payments(tx, payments)


def _payment(event: Event[OrderPaid] | Event[PaymentReceived], amount_minor: int) -> Payment:
    message = event.message
    return Payment(
        event_id=event.id,
        merchant_id=UUID(message.merchant_id),
        channel_id=UUID(message.channel_id),
        order_id=UUID(message.order_id),
        provider=message.provider,
        reference=message.provider_reference,
        amount_minor=amount_minor,
        currency=message.amount.currency,
        happened_at=event.time,
    )
