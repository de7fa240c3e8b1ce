from collections.abc import Iterable, Sequence
from uuid import UUID

from kit.db import Transaction
from kit.errors import Invalid
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from kit.money import Money
from ledger.posting_rules.domain import (
    ClaimMoment,
    LotCost,
    OrderMoment,
    SettledLine,
    claim_granted,
    claw_back_accepted,
    claw_back_refused,
    delivered_line_refunded,
    order_paid,
    order_refunded,
    order_settled,
    payment_received,
    payment_returned,
    stock_imported,
    stock_undone,
)
from ledger.transactions.domain import Draft
from ledger.transactions.service import TransactionService
from lockstock.common.v1 import money_pb2
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClawBackSettled
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported, StockUndone
from lockstock.order.v1 import order_events_pb2
from lockstock.order.v1.order_events_pb2 import (
    OrderCompleted,
    OrderPaid,
    OrderPartiallyCompleted,
    OrderRefunded,
    PaymentReceived,
    RefundMade,
)

OrderEvent = (
    Event[OrderPaid]
    | Event[OrderCompleted]
    | Event[OrderPartiallyCompleted]
    | Event[OrderRefunded]
    | Event[PaymentReceived]
    | Event[RefundMade]
)


class PostingConsumers:
    """Turns each event into its transaction; a batch of events is posted together."""

    def __init__(self, transactions: TransactionService) -> None:
        self._transactions = transactions

    def handlers(self) -> list[Handler]:
        return [
            handles(StockImported, self.on_stock_imported),
            handles(StockUndone, self.on_stock_undone),
            handles(OrderPaid, self.on_order_paid),
            handles(OrderCompleted, self.on_order_completed),
            handles(OrderPartiallyCompleted, self.on_order_partially_completed),
            handles(OrderRefunded, self.on_order_refunded),
            handles(PaymentReceived, self.on_payment_received),
            handles(RefundMade, self.on_refund_made),
            handles(ClaimDecided, self.on_claim_decided),
            handles(ClawBackSettled, self.on_claw_back_settled),
        ]

    async def on_stock_imported(
        self, tx: Transaction, events: Sequence[Event[StockImported]]
    ) -> None:
        drafts = [
            stock_imported(
                merchant_id=UUID(event.message.merchant_id),
                lot_id=UUID(event.message.lot_id),
                supplier=event.message.supplier,
                total_cost=_money(event.message.total_cost),
                at=event.time,
            )
            for event in events
        ]
        await self._transactions.post(tx, drafts)

    async def on_stock_undone(self, tx: Transaction, events: Sequence[Event[StockUndone]]) -> None:
        drafts = [
            stock_undone(
                merchant_id=UUID(event.message.merchant_id),
                lot_id=UUID(event.message.lot_id),
                supplier=event.message.supplier,
                total_cost=_money(event.message.total_cost),
                at=event.time,
            )
            for event in events
        ]
        await self._transactions.post(tx, drafts)

    async def on_order_paid(self, tx: Transaction, events: Sequence[Event[OrderPaid]]) -> None:
        await self._transactions.post(tx, [_order_paid(event) for event in events])

    async def on_order_completed(
        self, tx: Transaction, events: Sequence[Event[OrderCompleted]]
    ) -> None:
        drafts = [
            order_settled(_moment(event), _lines(event.message.lines), None) for event in events
        ]
        await self._transactions.post(tx, drafts)

    async def on_order_partially_completed(
        self, tx: Transaction, events: Sequence[Event[OrderPartiallyCompleted]]
    ) -> None:
        drafts = [
            order_settled(
                _moment(event), _lines(event.message.lines), _money(event.message.refunded)
            )
            for event in events
        ]
        await self._transactions.post(tx, drafts)

    async def on_order_refunded(
        self, tx: Transaction, events: Sequence[Event[OrderRefunded]]
    ) -> None:
        drafts = [order_refunded(_moment(event), _money(event.message.amount)) for event in events]
        await self._transactions.post(tx, drafts)

    async def on_payment_received(
        self, tx: Transaction, events: Sequence[Event[PaymentReceived]]
    ) -> None:
        drafts = [
            payment_received(
                _moment(event), UUID(event.message.payment_id), _money(event.message.amount)
            )
            for event in events
        ]
        await self._transactions.post(tx, drafts)

    async def on_refund_made(self, tx: Transaction, events: Sequence[Event[RefundMade]]) -> None:
        await self._transactions.post(tx, [_refund_made(event) for event in events])

    async def on_claim_decided(
        self, tx: Transaction, events: Sequence[Event[ClaimDecided]]
    ) -> None:
        """What was refused or withdrawn, or cost nothing, posts nothing."""
        await self._transactions.post(tx, [claim_granted(_claim(event)) for event in events])

    async def on_claw_back_settled(
        self, tx: Transaction, events: Sequence[Event[ClawBackSettled]]
    ) -> None:
        drafts = [
            (claw_back_accepted if event.message.accepted else claw_back_refused)(
                _owed(event), _money(event.message.amount)
            )
            for event in events
        ]
        await self._transactions.post(tx, drafts)


def _claim(event: Event[ClaimDecided]) -> ClaimMoment:
    message = event.message
    is_replaced = message.HasField("replacement")
    return ClaimMoment(
        claim_id=UUID(message.claim_id),
        merchant_id=UUID(message.merchant_id),
        channel_id=UUID(message.channel_id),
        order_id=UUID(message.order_id),
        sku=message.sku,
        lot_id=UUID(message.lot_id),
        at=event.time,
        supplier=message.supplier,
        claw_back=_money(message.claw_back) if message.HasField("claw_back") else None,
        replacement_lot_id=UUID(message.replacement.lot_id) if is_replaced else None,
        replacement_cost=_money(message.replacement_cost) if is_replaced else None,
    )


def _owed(event: Event[ClawBackSettled]) -> ClaimMoment:
    message = event.message
    return ClaimMoment(
        claim_id=UUID(message.claim_id),
        merchant_id=UUID(message.merchant_id),
        channel_id=UUID(message.channel_id),
        order_id=UUID(message.order_id),
        sku=message.sku,
        lot_id=UUID(message.lot_id),
        at=event.time,
        supplier=message.supplier,
    )


def _order_paid(event: Event[OrderPaid]) -> Draft:
    message = event.message
    # Older releases took no parts and left it out.
    earlier = _money(message.earlier) if message.HasField("earlier") else None
    return order_paid(_moment(event), _money(message.amount), earlier)


def _refund_made(event: Event[RefundMade]) -> Draft:
    message = event.message
    refund_id, amount = UUID(message.refund_id), _money(message.amount)
    match message.kind:
        case RefundMade.Kind.KIND_PAYMENT:
            return payment_returned(_moment(event), refund_id, amount)
        case RefundMade.Kind.KIND_DELIVERED_LINE:
            return delivered_line_refunded(
                _moment(event),
                refund_id,
                amount,
                product_id=UUID(message.product_id) if message.product_id else None,
                sku=message.sku,
            )
        case _:
            raise Invalid(f"refund {refund_id} is of a kind this release does not know")


def _moment(event: OrderEvent) -> OrderMoment:
    message = event.message
    return OrderMoment(
        order_id=UUID(message.order_id),
        merchant_id=UUID(message.merchant_id),
        channel_id=UUID(message.channel_id),
        at=event.time,
    )


def _lines(lines: Iterable[order_events_pb2.SettledLine]) -> list[SettledLine]:
    return [
        SettledLine(
            UUID(line.product_id) if line.product_id else None,
            line.sku,
            _money(line.total),
            line.delivered,
            [_cost(cost) for cost in line.costs],
        )
        for line in lines
    ]


def _cost(cost: order_events_pb2.LotCost) -> LotCost:
    lot_id = UUID(cost.lot_id) if cost.lot_id else None
    return LotCost(lot_id, _money(cost.unit_cost) * cost.quantity, cost.supplier)


def _money(money: money_pb2.Money) -> Money:
    return Money(money.amount_minor, money.currency)
