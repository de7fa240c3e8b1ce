from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from ledger.reconciliations.domain import MoneyOut, Payment
from ledger.reconciliations.service import ReconciliationService
from lockstock.common.v1.money_pb2 import Money
from lockstock.order.v1.order_events_pb2 import (
    OrderPaid,
    OrderPartiallyCompleted,
    OrderPlaced,
    OrderRefunded,
    PaymentReceived,
    RefundMade,
)

REFUND, FEE = "refund", "fee"


class ReconciliationConsumers:
    """Keeps what arrived, by the numbers that statements name."""

    def __init__(self, reconciliations: ReconciliationService) -> None:
        self._reconciliations = reconciliations

    def handlers(self) -> list[Handler]:
        return [
            handles(OrderPlaced, self.on_order_placed),
            handles(OrderPaid, self.on_order_paid),
            handles(PaymentReceived, self.on_payment_received),
            handles(OrderPartiallyCompleted, self.on_partially_completed),
            handles(OrderRefunded, self.on_refunded),
            handles(RefundMade, self.on_refunded),
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
        fees = [_out(event, FEE, _fee(event.message)) for event in events]
        await self._reconciliations.tell_money_out(tx, fees)

    async def on_payment_received(
        self, tx: Transaction, events: Sequence[Event[PaymentReceived]]
    ) -> None:
        payments = [_payment(event, event.message.amount.amount_minor) for event in events]
        await self._reconciliations.tell_payments(tx, payments)

    async def on_partially_completed(
        self, tx: Transaction, events: Sequence[Event[OrderPartiallyCompleted]]
    ) -> None:
        out = [_out(event, REFUND, event.message.refunded) for event in events]
        await self._reconciliations.tell_money_out(tx, out)

    async def on_refunded(
        self, tx: Transaction, events: Sequence[Event[OrderRefunded] | Event[RefundMade]]
    ) -> None:
        out = [_out(event, REFUND, event.message.amount) for event in events]
        await self._reconciliations.tell_money_out(tx, out)


# Any: the events share what they say of their order, not a class.
def _out(event: Event[Any], kind: str, amount: Money) -> MoneyOut:
    return MoneyOut(
        event_id=event.id,
        kind=kind,
        merchant_id=UUID(event.message.merchant_id),
        order_id=UUID(event.message.order_id),
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        happened_at=event.time,
    )


def _fee(message: OrderPaid) -> Money:
    fee = sum(line.fee.amount_minor for line in message.lines)
    return Money(amount_minor=fee, currency=message.amount.currency)


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
