from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided
from lockstock.order.v1.chargeback_events_pb2 import ChargebackReceived
from lockstock.order.v1.order_events_pb2 import (
    OrderCompleted,
    OrderPartiallyCompleted,
    OrderPlaced,
    OrderRefunded,
    RefundMade,
)
from risk.labels.domain import Buyer, Label, LabelKind
from risk.labels.service import LabelService

_UPHELD = (ClaimDecided.OUTCOME_REPLACED, ClaimDecided.OUTCOME_REFUNDED)


class LabelConsumers:
    def __init__(self, labels: LabelService) -> None:
        self._labels = labels

    def handlers(self) -> list[Handler]:
        return [
            handles(OrderPlaced, self.on_order_placed),
            handles(OrderCompleted, self.on_order_completed),
            handles(OrderPartiallyCompleted, self.on_order_partially_completed),
            handles(OrderRefunded, self.on_order_refunded),
            handles(RefundMade, self.on_refund_made),
            handles(ClaimDecided, self.on_claim_decided),
            handles(ChargebackReceived, self.on_chargeback_received),
        ]

    async def on_order_placed(self, tx: Transaction, events: Sequence[Event[OrderPlaced]]) -> None:
        """Claims come by another topic: after a long silence they may be heard of first. What was
        judged while it was placed is known since then.
        """
        placed = [event.message for event in events if not event.message.assessment_id]
        self._labels.meet(tx, {UUID(it.order_id): _buyer(it) for it in placed})

    async def on_order_completed(
        self, tx: Transaction, events: Sequence[Event[OrderCompleted]]
    ) -> None:
        await self._labels.add(tx, [_label(event, LabelKind.COMPLETED) for event in events])

    async def on_order_partially_completed(
        self, tx: Transaction, events: Sequence[Event[OrderPartiallyCompleted]]
    ) -> None:
        await self._labels.add(tx, [_label(event, LabelKind.COMPLETED) for event in events])

    async def on_order_refunded(
        self, tx: Transaction, events: Sequence[Event[OrderRefunded]]
    ) -> None:
        await self._labels.add(tx, [_label(event, LabelKind.UNDELIVERED) for event in events])

    async def on_refund_made(self, tx: Transaction, events: Sequence[Event[RefundMade]]) -> None:
        """Money that was not owed goes back without saying anything about the order."""
        await self._labels.add(
            tx,
            [
                _label(event, LabelKind.REFUND, event.message.refund_id, event.message.amount)
                for event in events
                if event.message.kind == RefundMade.KIND_DELIVERED_LINE
            ],
        )

    async def on_claim_decided(
        self, tx: Transaction, events: Sequence[Event[ClaimDecided]]
    ) -> None:
        """Claims that were refused or withdrawn say nothing."""
        await self._labels.add(
            tx,
            [
                _label(event, LabelKind.CLAIM, event.message.claim_id)
                for event in events
                if event.message.outcome in _UPHELD
            ],
        )

    async def on_chargeback_received(
        self, tx: Transaction, events: Sequence[Event[ChargebackReceived]]
    ) -> None:
        await self._labels.add(
            tx,
            [
                _label(event, LabelKind.CHARGEBACK, event.message.reference, event.message.amount)
                for event in events
            ],
        )


# Any: one of the messages above, which have these fields in common.
def _label(event: Event[Any], kind: LabelKind, source: str = "", amount: Any = None) -> Label:
    return Label(
        UUID(event.message.order_id),
        UUID(event.message.merchant_id),
        kind,
        event.time,
        source,
        amount.amount_minor if amount else 0,
        amount.currency if amount else "",
    )


def _buyer(placed: OrderPlaced) -> Buyer:
    customer = placed.customer
    return Buyer.of(UUID(placed.merchant_id), customer.id, customer.contact_hash)
