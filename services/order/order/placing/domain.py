"""What a shop asks for, and the order it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kit.ids import new_id
from order.catalogue.domain import Product
from order.merchants.domain import Channel
from order.orders.domain import Change, Customer, Line, News, Order, Payment
from order.payments.domain import PaymentWord
from order.prices.domain import PricedLine, Wanted, total_of
from order.saga.domain import pay


@dataclass(frozen=True, slots=True)
class Request:
    """An order as asked for. `cause` names the caller."""

    merchant_id: UUID
    channel_id: UUID
    reference: str
    customer: Customer
    lines: tuple[Wanted, ...]
    recipient_public_key: bytes | None
    paid: PaymentWord | None
    cause: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the database knows about a request, as of `now`."""

    channel: Channel
    products: Mapping[str, Product]
    taken_by: UUID | None
    now: datetime


@dataclass(slots=True)
class Draft:
    """A priced order whose stock is held; `is_placed` once it is written."""

    change: Change
    payment: Payment | None
    is_placed: bool = False


def draft_order(
    request: Request, lines: tuple[PricedLine, ...], now: datetime, pay_seconds: int
) -> Order:
    return Order(
        id=new_id(),
        merchant_id=request.merchant_id,
        channel_id=request.channel_id,
        reference=request.reference,
        customer=request.customer,
        total=total_of(lines),
        lines=tuple(_line(line) for line in lines),
        pay_until=now + timedelta(seconds=pay_seconds),
        placed_at=now,
        recipient_public_key=request.recipient_public_key,
    )


def _line(priced: PricedLine) -> Line:
    product = priced.product
    return Line(
        id=new_id(),
        line_no=priced.line_no,
        product_id=product.id,
        sku=product.sku,
        name=product.name,
        kind="pool",
        pool_id=product.fulfillment.pool_id,
        quantity=priced.quantity,
        unit_price=priced.unit_price,
        total=priced.total,
        instructions=product.instructions,
        inputs=priced.inputs,
    )


def begin(
    order: Order,
    lines: tuple[PricedLine, ...],
    *,
    reservation_id: UUID,
    payment: Payment | None,
    cause: str,
) -> Change:
    """The order's first entries and news; with a payment it is placed and paid at once."""
    change = Change(order, cause).with_order(reservation_id=reservation_id)
    change = change.told(
        "priced",
        f"{len(lines)} line(s) priced: {order.total}",
        total=order.total.amount_minor,
        currency=order.total.currency,
        lines=[dict(line.derivation) for line in lines],
    )
    change = change.told(
        "reserved",
        f"{sum(line.quantity for line in lines)} unit(s) are held",
        reservation_id=str(reservation_id),
    )
    change = change.told(
        "placed",
        f"placed as {order.reference}",
        channel_id=str(order.channel_id),
        reference=order.reference,
        pay_until=order.pay_until.isoformat(),
    ).announced(News.PLACED)
    return pay(change, payment, order.placed_at) if payment else change
