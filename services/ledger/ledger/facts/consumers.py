from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from ledger.facts.domain import (
    NOWHERE,
    ClaimNews,
    Given,
    LotNews,
    OrderNews,
    SoldLine,
)
from ledger.facts.service import FactService
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported
from lockstock.order.v1.order_events_pb2 import (
    LotCost,
    OrderCancelled,
    OrderCompleted,
    OrderExpired,
    OrderPaid,
    OrderPartiallyCompleted,
    OrderPlaced,
    OrderRefunded,
    RefundMade,
    SettledLine,
)

Settled = Event[OrderCompleted] | Event[OrderPartiallyCompleted]
_GRANTED = (ClaimDecided.Outcome.OUTCOME_REPLACED, ClaimDecided.Outcome.OUTCOME_REFUNDED)


class FactConsumers:
    """Keeps what the reports are made of, in the transaction of each batch of events."""

    def __init__(self, facts: FactService) -> None:
        self._facts = facts

    def handlers(self) -> list[Handler]:
        return [
            handles(OrderPlaced, self.on_order_placed),
            handles(OrderPaid, self.on_order_paid),
            handles(OrderCompleted, self.on_order_settled),
            handles(OrderPartiallyCompleted, self.on_order_settled),
            handles(OrderRefunded, self.on_order_refunded),
            handles(RefundMade, self.on_refund_made),
            handles(OrderCancelled, self.on_order_ended),
            handles(OrderExpired, self.on_order_ended),
            handles(StockImported, self.on_stock_imported),
            handles(ClaimDecided, self.on_claim_decided),
        ]

    async def on_order_placed(self, tx: Transaction, events: Sequence[Event[OrderPlaced]]) -> None:
        await self._facts.tell_orders(tx, [_placed(event) for event in events])

    async def on_order_paid(self, tx: Transaction, events: Sequence[Event[OrderPaid]]) -> None:
        news = [
            _news(
                event,
                currency=event.message.amount.currency,
                total_minor=event.message.amount.amount_minor,
                paid_at=event.time,
            )
            for event in events
        ]
        await self._facts.tell_orders(tx, news)

    async def on_order_settled(self, tx: Transaction, events: Sequence[Settled]) -> None:
        """Delivered wholly or in part; what was refunded of it counts as refunded too."""
        await self._facts.tell_orders(tx, [_settled(event) for event in events])
        await self._facts.tell_sold(tx, [line for event in events for line in _sold(event)])

    async def on_order_refunded(
        self, tx: Transaction, events: Sequence[Event[OrderRefunded]]
    ) -> None:
        await self._facts.tell_orders(tx, [_refunded(event) for event in events])

    async def on_refund_made(self, tx: Transaction, events: Sequence[Event[RefundMade]]) -> None:
        """Of what was delivered: money that was not owed is no refund of the order."""
        kind = RefundMade.Kind.KIND_DELIVERED_LINE
        await self._facts.tell_orders(
            tx, [_refunded(event) for event in events if event.message.kind == kind]
        )

    async def on_order_ended(
        self, tx: Transaction, events: Sequence[Event[OrderCancelled] | Event[OrderExpired]]
    ) -> None:
        """Before it was paid."""
        await self._facts.tell_orders(tx, [_news(each, ended_at=each.time) for each in events])

    async def on_stock_imported(
        self, tx: Transaction, events: Sequence[Event[StockImported]]
    ) -> None:
        await self._facts.tell_lots(tx, [_lot(event) for event in events])

    async def on_claim_decided(
        self, tx: Transaction, events: Sequence[Event[ClaimDecided]]
    ) -> None:
        granted = [
            event for event in events if event.message.outcome in _GRANTED and event.message.lot_id
        ]
        await self._facts.tell_claims(tx, [_claim(event) for event in granted])


# Any: the events share what they say of their order, not a class.
def _news(event: Event[Any], **known: Any) -> OrderNews:
    message = event.message
    channel_id = getattr(message, "channel_id", "")
    return OrderNews(
        order_id=UUID(message.order_id),
        merchant_id=UUID(message.merchant_id),
        channel_id=UUID(channel_id) if channel_id else None,
        buyer=getattr(message, "buyer", ""),
        buyer_group=getattr(message, "buyer_group", ""),
        **known,
    )


def _placed(event: Event[OrderPlaced]) -> OrderNews:
    message = event.message
    return _news(
        event,
        currency=message.total.currency or None,
        total_minor=message.total.amount_minor,
        placed_at=event.time,
    )


def _refunded(event: Event[OrderRefunded] | Event[RefundMade]) -> OrderNews:
    currency = event.message.amount.currency or None
    return _news(event, currency=currency, refunded_at=event.time)


def _settled(event: Settled) -> OrderNews:
    message = event.message
    refunded = isinstance(message, OrderPartiallyCompleted) and message.refunded.amount_minor > 0
    is_delivered = any(line.delivered for line in message.lines)
    currencies = [line.total.currency for line in message.lines if line.total.currency]
    return _news(
        event,
        currency=currencies[0] if currencies else None,
        delivered_at=event.time if is_delivered else None,
        refunded_at=event.time if refunded else None,
    )


def _sold(event: Settled) -> Iterable[SoldLine]:
    return (_line(event, line) for line in event.message.lines if line.delivered)


def _line(event: Settled, line: SettledLine) -> SoldLine:
    message = event.message
    return SoldLine(
        order_id=UUID(message.order_id),
        line_id=UUID(line.line_id),
        merchant_id=UUID(message.merchant_id),
        channel_id=UUID(message.channel_id),
        product_id=UUID(line.product_id) if line.product_id else NOWHERE,
        sku=line.sku,
        buyer_group=message.buyer_group,
        quantity=line.quantity,
        total_minor=line.total.amount_minor,
        currency=line.total.currency,
        delivered_at=event.time,
        given=[_given(cost) for cost in line.costs],
    )


def _given(cost: LotCost) -> Given:
    lot_id = UUID(cost.lot_id) if cost.lot_id else NOWHERE
    return Given(lot_id, cost.quantity, cost.supplier, cost.HasField("face_value"))


def _lot(event: Event[StockImported]) -> LotNews:
    message = event.message
    return LotNews(
        lot_id=UUID(message.lot_id),
        merchant_id=UUID(message.merchant_id),
        supplier=message.supplier.strip(),
        imported_at=event.time,
        expires_at=_time(message.expires_at),
    )


def _claim(event: Event[ClaimDecided]) -> ClaimNews:
    message = event.message
    return ClaimNews(
        claim_id=UUID(message.claim_id),
        merchant_id=UUID(message.merchant_id),
        lot_id=UUID(message.lot_id),
        granted_at=event.time,
    )


def _time(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(tzinfo=UTC) if stamp.seconds else None
