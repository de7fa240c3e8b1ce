"""A whole price that comes after its order ended unpaid: kept while its goods are held anew.

Then it pays the order, at the price that was agreed, or it goes back. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from kit.errors import DomainError
from order.catalogue.domain import BundleFulfillment, Product
from order.limits.domain import Asked, Claim, Per, claims_of
from order.lines.domain import Line
from order.merchants.domain import Channel, LatePayments
from order.orders.domain import (
    ENDED_UNPAID,
    Change,
    News,
    Order,
    OrderStatus,
    Payment,
    Verdict,
)
from order.payments import domain as money
from order.prices.domain import Priced, PricedLine
from order.saga import domain as saga
from order.sales.domain import NotOnSale, Sale, check_product
from order.shortages import domain as shortages
from order.steps.domain import Answer, Done, Failed, Step, plan

KIND = "late_payment"
REFUSED = "refused"
"""In a step's result: why it does not count although units are held."""


def keep(
    change: Change, payment: Payment, late: LatePayments, within: timedelta, now: datetime
) -> Change | None:
    """The payment is kept, and a step holds the order's goods anew. None: it is no whole price of
    an ended order that may still be bought, so it does what other payments do.
    """
    order = change.order
    is_known = order.parts or order.payment  # the first that comes late is the one that counts
    if is_known or payment.amount != order.total or not _may_still_pay(order, late):
        return None
    if now >= order.pay_until + within or order.verdict is Verdict.DECLINE:
        return None
    step = plan(
        order.merchant_id,
        order.id,
        KIND,
        # Another late payment, after this one went back, is another step.
        generation=payment.id.int,
        args={"payment_id": str(payment.id), "came_at": now.isoformat()},
    )
    return money.keep_late(change, payment).with_steps(step)


def _may_still_pay(order: Order, late: LatePayments) -> bool:
    if order.status is OrderStatus.CANCELLED:
        return late is LatePayments.ENDED
    return order.status is OrderStatus.EXPIRED and late is not LatePayments.GIVE_BACK


def kept_for(order: Order, step: Step) -> Payment | None:
    """The payment that the step is about, if it is still kept."""
    if order.status not in ENDED_UNPAID or not order.parts:
        return None
    [payment] = order.parts
    return payment if str(payment.id) == step.args["payment_id"] else None


Products = Mapping[str, Product]
"""By SKU: those of the order's lines, and the bundles they were sold in."""


def skus_of(order: Order) -> set[str]:
    """The products that the order names, bundles and what they are made of."""
    return {sku for line in order.lines for sku in (line.sku, line.bundle_sku) if sku}


def refusal(order: Order, channel: Channel, products: Products, now: datetime) -> str:
    """Why the order could not be placed today, in the words of placing; empty when it could.

    The quantities and inputs were accepted when it was placed.
    """
    sale = Sale(channel.id, order.customer.region or channel.region, now)
    try:
        channel.check_takes(line.bundle_sku or line.sku for line in order.lines)
        for sku in sorted(skus_of(order)):
            product = products.get(sku)
            if product is None or not product.is_active:
                return NotOnSale.code
            check_product(sale, product, "")
    except DomainError as error:
        return error.code
    return ""


def claims_on(order: Order, products: Products) -> tuple[Claim, ...]:
    """What the order takes of today's purchase limits. Raises LimitNeeds."""
    quantities = [(line.sku, line.quantity) for line in order.lines]
    quantities += [(it.product.sku, it.quantity) for it in _bundles(order, products).values()]
    asked = [
        Asked(products[sku].id, sku, products[sku].limits, quantity, "/lines")
        for sku, quantity in quantities
        if products[sku].limits
    ]
    customer = order.customer
    who = {Per.BUYER: customer.id, Per.IP: customer.ip, Per.DEVICE: customer.device_id}
    return claims_of(asked, who) if asked else ()


def priced(order: Order, products: Products) -> Priced:
    """The order as it was priced, bundles whole, for the margin floor of today."""
    lines = [
        _priced_line(line, products[line.sku]) for line in order.lines if line.bundle_no is None
    ]
    return Priced((*lines, *_bundles(order, products).values()), order.total)


def _bundles(order: Order, products: Products) -> dict[int, PricedLine]:
    """By their number in the order. As many as the largest share of a component says, should the
    bundle be made of something else by now.
    """
    found: dict[int, PricedLine] = {}
    for line in order.lines:
        if line.bundle_no is None or line.bundle_sku is None:
            continue
        one = _priced_line(line, products[line.bundle_sku], _bundles_in(line, products))
        known = found.get(line.bundle_no)
        if known is not None:
            quantity = max(known.quantity, one.quantity)
            one = replace(known, quantity=quantity, total=known.total + one.total)
        found[line.bundle_no] = one
    return found


def _bundles_in(line: Line, products: Products) -> int:
    bundle = products[line.bundle_sku or ""].fulfillment
    parts = bundle.components if isinstance(bundle, BundleFulfillment) else ()
    each = sum(part.quantity for part in parts if part.sku == line.sku)
    return max(1, line.quantity // each) if each else 1


def _priced_line(line: Line, product: Product, quantity: int | None = None) -> PricedLine:
    return PricedLine(
        line.line_no,
        product,
        quantity or line.quantity,
        line.inputs,
        line.unit_price,
        line.total,
        (),
    )


def has_ladders(order: Order, line_nos: frozenset[int]) -> bool:
    """Whether the merchant has said what is tried for each of these lines when stock is out."""
    short = [line for line in order.lines if line.line_no in line_nos]
    return bool(short) and all(
        any(rung.kind != shortages.RESERVE for rung in shortages.rungs_of(order, line))
        for line in short
    )


def settle(change: Change, step: Step, answer: Answer) -> Change:
    """Held: the order is paid and goes on. Not held, or not to be sold any more: the price goes
    back. Units that are held for nothing go back by a step of their own.
    """
    payment = kept_for(change.order, step)
    match answer:
        case Done(result) if payment is not None and REFUSED not in result:
            return _revive(change, payment, step)
        case Done(result):
            change = _given_back(change, step)
            return _returned(change, step, result.get(REFUSED, "")) if payment else change
        case Failed(reason) if payment is not None:
            return _returned(change, step, reason)
        case _:
            return change


def _revive(change: Change, payment: Payment, step: Step) -> Change:
    """The order goes on as one that was paid when the money came."""
    held = step.result.get("reservation_id")
    short = step.result.get("short", [])
    told = "its goods are held again" if held else "it needs no units"
    change = change.told(
        "revived",
        "short of stock, it goes on by its products' rules" if short else told,
        step_id=str(step.id),
        reservation_id=held or "",
        short=short,
        was=change.order.status.value,
    )
    change = change.with_order(
        payment=payment,
        paid_at=datetime.fromisoformat(step.args["came_at"]),
        reservation_id=shortages.hold_id(held) or change.order.reservation_id,
        reason="",
        is_revived=True,
    )
    return saga.proceed(money.told_paid(change, payment).announced(News.PAID))


def _returned(change: Change, step: Step, reason: str) -> Change:
    ended = change.order.status.value
    change = change.told(
        "late_payment_refused",
        f"the order stays {ended}: {reason}",
        step_id=str(step.id),
        payment_id=step.args["payment_id"],
        reason=reason,
    )
    return money.end_unpaid(change, f"the order is {ended}: {reason}")


def _given_back(change: Change, step: Step) -> Change:
    reservation_id = step.result.get("reservation_id")
    if not reservation_id:
        return change
    args = {
        "reservation_id": reservation_id,
        "reason": "not needed any more",
        "undoes": str(step.ext_ref),
    }
    back = plan(step.merchant_id, step.order_id, "release", generation=step.ext_ref.int, args=args)
    return change.with_steps(back).told(
        "hold_not_needed", "the units go back", reservation_id=reservation_id
    )
