"""Events as the consumers get them. Valid by default; a test overrides what matters to it."""

from datetime import UTC, datetime
from uuid import UUID

from kit.ids import new_id
from kit.messaging.events import Event, M, topic_of, type_of
from lockstock.common.v1.money_pb2 import Money
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported, StockUndone
from lockstock.order.v1.order_events_pb2 import (
    LotCost,
    OrderCompleted,
    OrderPaid,
    OrderPartiallyCompleted,
    OrderPlaced,
    OrderRefunded,
    PaymentReceived,
    RefundMade,
    SettledLine,
)

MERCHANT = UUID("0190b1c2-0000-7000-8000-000000000001")
OTHER_MERCHANT = UUID("0190b1c2-0000-7000-8000-000000000002")
CHANNEL = UUID("0190b1c2-0000-7000-8000-0000000000c1")
PRODUCT = UUID("0190b1c2-0000-7000-8000-0000000000f1")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def cny(amount_minor: int) -> Money:
    return Money(amount_minor=amount_minor, currency="CNY")


def usd(amount_minor: int) -> Money:
    return Money(amount_minor=amount_minor, currency="USD")


def an_import(
    *,
    lot_id: UUID | None = None,
    total: Money | None = None,
    supplier: str = "Kinguin",
    merchant_id: UUID = MERCHANT,
) -> Event[StockImported]:
    lot_id = lot_id or new_id()
    return an_event(
        StockImported(
            lot_id=str(lot_id),
            pool_id=str(new_id()),
            merchant_id=str(merchant_id),
            supplier=supplier,
            quantity=100,
            unit_cost=cny(1200),
            total_cost=total or cny(120_000),
        ),
        str(lot_id),
    )


def an_undo(*, lot_id: UUID, total: Money, supplier: str = "Kinguin") -> Event[StockUndone]:
    return an_event(
        StockUndone(
            lot_id=str(lot_id),
            pool_id=str(new_id()),
            merchant_id=str(MERCHANT),
            supplier=supplier,
            quantity=100,
            total_cost=total,
        ),
        str(lot_id),
    )


def an_order(
    order_id: UUID,
    total: Money,
    *,
    buyer: str = "buyer-1",
    buyer_group: str = "",
    merchant_id: UUID = MERCHANT,
    channel_id: UUID = CHANNEL,
    channel_name: str = "",
    at: datetime = NOON,
) -> Event[OrderPlaced]:
    return an_event(
        OrderPlaced(
            order_id=str(order_id),
            merchant_id=str(merchant_id),
            channel_id=str(channel_id),
            channel_name=channel_name,
            buyer=buyer,
            buyer_group=buyer_group,
            total=total,
        ),
        str(order_id),
        time=at,
    )


def a_payment(
    order_id: UUID,
    amount: Money,
    *,
    merchant_id: UUID = MERCHANT,
    earlier: Money | None = None,
) -> Event[OrderPaid]:
    return an_event(
        OrderPaid(
            order_id=str(order_id),
            merchant_id=str(merchant_id),
            channel_id=str(CHANNEL),
            amount=amount,
            earlier=earlier,
        ),
        str(order_id),
    )


def an_arrival(order_id: UUID, payment_id: UUID, amount: Money) -> Event[PaymentReceived]:
    return an_event(
        PaymentReceived(
            order_id=str(order_id),
            merchant_id=str(MERCHANT),
            channel_id=str(CHANNEL),
            payment_id=str(payment_id),
            amount=amount,
            kind=PaymentReceived.Kind.KIND_PART,
        ),
        str(order_id),
    )


def a_refund_made(
    order_id: UUID,
    amount: Money,
    *,
    kind: RefundMade.Kind = RefundMade.Kind.KIND_PAYMENT,
    refund_id: UUID | None = None,
) -> Event[RefundMade]:
    of_line = kind == RefundMade.Kind.KIND_DELIVERED_LINE
    return an_event(
        RefundMade(
            order_id=str(order_id),
            merchant_id=str(MERCHANT),
            channel_id=str(CHANNEL),
            refund_id=str(refund_id or new_id()),
            payment_id=str(new_id()),
            amount=amount,
            kind=kind,
            product_id=str(PRODUCT) if of_line else "",
            sku="STEAM-50" if of_line else "",
        ),
        str(order_id),
    )


def a_line(
    total: Money,
    *costs: LotCost,
    sku: str = "STEAM-50",
    product_id: UUID = PRODUCT,
    quantity: int = 1,
    delivered: bool = True,
) -> SettledLine:
    return SettledLine(
        line_id=str(new_id()),
        product_id=str(product_id),
        sku=sku,
        quantity=quantity,
        total=total,
        delivered=delivered,
        costs=costs,
    )


def a_cost(lot_id: UUID, unit_cost: Money, quantity: int = 1) -> LotCost:
    return LotCost(lot_id=str(lot_id), quantity=quantity, unit_cost=unit_cost)


def a_purchase(supplier: str, cost: Money) -> LotCost:
    """What a line cost that nothing from stock went to."""
    return LotCost(quantity=1, unit_cost=cost, supplier=supplier, purchase_id=str(new_id()))


def a_completion(
    order_id: UUID, *lines: SettledLine, merchant_id: UUID = MERCHANT
) -> Event[OrderCompleted]:
    return an_event(
        OrderCompleted(
            order_id=str(order_id),
            merchant_id=str(merchant_id),
            channel_id=str(CHANNEL),
            lines=lines,
        ),
        str(order_id),
    )


def a_partial_completion(
    order_id: UUID, refunded: Money, *lines: SettledLine, merchant_id: UUID = MERCHANT
) -> Event[OrderPartiallyCompleted]:
    return an_event(
        OrderPartiallyCompleted(
            order_id=str(order_id),
            merchant_id=str(merchant_id),
            channel_id=str(CHANNEL),
            refunded=refunded,
            lines=lines,
        ),
        str(order_id),
    )


def a_refund(
    order_id: UUID, amount: Money, *, merchant_id: UUID = MERCHANT
) -> Event[OrderRefunded]:
    return an_event(
        OrderRefunded(
            order_id=str(order_id),
            merchant_id=str(merchant_id),
            channel_id=str(CHANNEL),
            amount=amount,
            reason="declined",
        ),
        str(order_id),
    )


def an_event(
    message: M, key: str, *, merchant_id: UUID = MERCHANT, time: datetime = NOON
) -> Event[M]:
    return Event(
        id=new_id(),
        type=type_of(type(message)),
        topic=topic_of(type(message)),
        key=key,
        version=1,
        time=time,
        merchant_id=str(merchant_id),
        traceparent=None,
        request_id=None,
        message=message,
    )
