from collections.abc import Iterable, Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from kit.money import Money
from ledger.posting_rules.domain import (
    LotCost,
    OrderMoment,
    SettledLine,
    order_paid,
    order_refunded,
    order_settled,
    stock_imported,
    stock_undone,
)
from ledger.transactions.service import TransactionService
from lockstock.common.v1 import money_pb2
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported, StockUndone
from lockstock.order.v1 import order_events_pb2
from lockstock.order.v1.order_events_pb2 import (
    OrderCompleted,
    OrderPaid,
    OrderPartiallyCompleted,
    OrderRefunded,
)

OrderEvent = (
    Event[OrderPaid] | Event[OrderCompleted] | Event[OrderPartiallyCompleted] | Event[OrderRefunded]
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
        drafts = [order_paid(_moment(event), _money(event.message.amount)) for event in events]
        await self._transactions.post(tx, drafts)

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
