"""Whether a substitute may be sold to a buyer who ordered something else. Pure."""

from datetime import datetime

from kit.errors import DomainError
from kit.money import Money
from order.catalogue.domain import Product
from order.limits.domain import Asked, Claim, Per, claims_of
from order.lines.domain import Line
from order.merchants.domain import Channel, FeeBearer
from order.orders.domain import Order
from order.prices.domain import Priced, PricedLine
from order.sales.domain import NotOnSale, QuantityOutOfBounds, Sale, check_product


def refusal(
    order: Order, channel: Channel, product: Product | None, quantity: int, now: datetime
) -> str:
    """Why it is not for sale to this buyer here and now, so much of it; empty when it is. Its
    minimum does not count: nobody has chosen the quantity.
    """
    if product is None or not product.is_active:
        return NotOnSale.code
    if not channel.sells(product.sku):
        return "not_sold_here"
    most = product.rules.quantity_max
    if most is not None and quantity > most:
        return QuantityOutOfBounds.code
    try:
        check_product(Sale(channel.id, order.customer.region or channel.region, now), product, "")
    except DomainError as error:
        return error.code
    return ""


def claims_on(order: Order, product: Product, quantity: int) -> tuple[Claim, ...]:
    """What it takes of the buyer's purchase limits. Raises LimitNeeds."""
    customer = order.customer
    who = {Per.BUYER: customer.id, Per.IP: customer.ip, Per.DEVICE: customer.device_id}
    asked = Asked(product.id, product.sku, product.limits, quantity, "/lines")
    return claims_of([asked], who) if product.limits else ()


def priced(order: Order, line: Line, product: Product) -> Priced:
    """The substitute at the price of the line it stands in for, for the margin floor: less the
    line's part of the channel's fee, as it was agreed, when the merchant bears it.
    """
    bearer = order.terms.get("fee_bearer", FeeBearer.MERCHANT)
    fee = line.fee_minor if bearer == FeeBearer.MERCHANT else 0
    total = Money(line.total.amount_minor - fee, line.total.currency)
    one = PricedLine(line.line_no, product, line.quantity, {}, line.unit_price, total, ())
    return Priced((one,), total)


def groups_of(order: Order) -> frozenset[str]:
    """The shop's groups that the buyer was in when the order was placed."""
    return frozenset(filter(None, order.terms.get("groups", "").split(",")))
