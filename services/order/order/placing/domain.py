"""What a shop asks for, and the order it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kit.addresses import home_of, read_address
from kit.errors import Conflict, Invalid
from kit.ids import new_id
from kit.money import Money, share_out
from order.catalogue.domain import (
    BundleFulfillment,
    Component,
    PoolFulfillment,
    Product,
    Redemption,
    terms_of,
)
from order.coupons.domain import CouponClaim, LimitUse
from order.forms.domain import form_terms
from order.limits.domain import Asked, Claim, Per, claims_of
from order.lines.domain import Line
from order.merchants.domain import Channel, FeeBearer, FeeOnRefund
from order.orders.domain import Change, Customer, News, Order, Payment
from order.payments.domain import PaymentWord
from order.price_rules.domain import CouponTerms, Rule
from order.prices.domain import PriceBasis, Priced, PricedLine, Wanted
from order.saga.domain import pay
from order.sales.domain import Sale, parts_of

LINES_MAX = 50
QUANTITY_MAX = 10_000
"""What the vault takes in one hold; bundles may ask for more."""


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
    groups: frozenset[str] = frozenset()
    coupon_codes: tuple[str, ...] = ()
    expected_total: Money | None = None
    below_cost: str = ""  # why it may be sold below its margin floor

    @property
    def key(self) -> tuple[UUID, UUID, str]:
        """What makes the order one: its merchant's channel has each reference once."""
        return self.merchant_id, self.channel_id, self.reference

    @property
    def sources(self) -> tuple[str, ...]:
        """Who shows coupon codes, in several ways: a guesser has to change all of them."""
        ip = self.customer.ip
        named = [f"ip:{home_of(read_address(ip))}"] if ip else []
        return (*named, f"buyer:{self.customer.id}") if self.customer.id else (*named, self.cause)


@dataclass(frozen=True, slots=True)
class Found:
    """What the database knows about a request, as of `now`. `products`: by SKU, those that are
    asked for and those that bundles are made of.
    """

    channel: Channel
    products: Mapping[str, Product]
    taken_by: UUID | None
    now: datetime
    asked: PriceBasis


def sale_of(request: Request, found: Found) -> Sale:
    """Who buys where, when: a channel with a region sells there, unless the buyer is said to be
    elsewhere.
    """
    region = request.customer.region or found.channel.region
    return Sale(request.channel_id, region, found.now)


@dataclass(slots=True)
class Draft:
    """A priced order whose stock is held; `is_placed` once it is written."""

    change: Change
    payment: Payment | None
    claims: tuple[Claim, ...] = ()  # of purchase limits
    coupon_claim: CouponClaim | None = None  # what it uses of coupons and budgets
    is_placed: bool = False

    @property
    def key(self) -> tuple[UUID, UUID, str]:
        """As of its request."""
        order = self.change.order
        return order.merchant_id, order.channel_id, order.reference


def claims_on(
    request: Request, wanted: Sequence[Wanted], products: Mapping[str, Product]
) -> tuple[Claim, ...]:
    """What the order takes of purchase limits, bundles with what is in them. Raises LimitNeeds."""
    asked = [
        Asked(product.id, product.sku, product.limits, quantity, f"/lines/{place}/quantity")
        for place, line in enumerate(wanted)
        for product, quantity in parts_of(products, line)
        if product.limits
    ]
    customer = request.customer
    who = {Per.BUYER: customer.id, Per.IP: customer.ip, Per.DEVICE: customer.device_id}
    return claims_of(asked, who) if asked else ()


def draft_order(
    request: Request, channel: Channel, lines: tuple[Line, ...], now: datetime, pay_seconds: int
) -> Order:
    fees = channel.fee.parts([line.total.amount_minor for line in lines])
    if any(fees):
        lines = tuple(replace(line, fee_minor=fee) for line, fee in zip(lines, fees, strict=True))
    return Order(
        id=new_id(),
        merchant_id=request.merchant_id,
        channel_id=request.channel_id,
        reference=request.reference,
        customer=request.customer,
        total=Money(sum(line.total.amount_minor for line in lines), lines[0].total.currency),
        lines=lines,
        pay_until=now + timedelta(seconds=pay_seconds),
        placed_at=now,
        recipient_public_key=request.recipient_public_key,
        terms=_books_terms(request, channel),
        channel_name=channel.name,
    )


def _books_terms(request: Request, channel: Channel) -> dict[str, str]:
    """What the books need to know, where it is not the usual."""
    fee, terms = channel.fee, {}
    if fee.bearer is not FeeBearer.MERCHANT:
        terms["fee_bearer"] = fee.bearer.value
    if fee.on_refund is not FeeOnRefund.KEPT:
        terms["fee_on_refund"] = fee.on_refund.value
    if request.groups:
        terms["groups"] = ",".join(sorted(request.groups))
    return terms


def lines_of(
    priced: Sequence[PricedLine],
    products: Mapping[str, Product],
    locale: str | None = None,
    shortage: Mapping[str, Any] | None = None,
) -> tuple[Line, ...]:
    """The order's lines, in the buyer's language: a bundle becomes its components, each with its
    share of the price. `shortage` is what is tried for short lines whose product does not say.

    Raises ComponentUnavailable, OrderTooLarge.
    """
    lines: list[Line] = []
    for line in priced:
        bundle = line.product.fulfillment
        if isinstance(bundle, BundleFulfillment):
            lines += _component_lines(line, bundle, products, locale)
        else:
            lines.append(_line(line, locale))
    if len(lines) > LINES_MAX or max(line.quantity for line in lines) > QUANTITY_MAX:
        raise OrderTooLarge(lines_max=LINES_MAX, quantity_max=QUANTITY_MAX)
    return tuple(
        replace(line, line_no=number, terms=_with_shortage(line.terms, shortage))
        for number, line in enumerate(lines, start=1)
    )


def _with_shortage(
    terms: Mapping[str, Any], shortage: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    is_open = shortage is not None and terms["kind"] == "pool" and "shortage" not in terms
    return {**terms, "shortage": shortage} if is_open else terms


def _component_lines(
    priced: PricedLine,
    bundle: BundleFulfillment,
    products: Mapping[str, Product],
    locale: str | None,
) -> list[Line]:
    """Shared by base price. By SKU, so that the shares do not depend on the components' order."""
    parts = [
        (_component(priced, component, products), component.quantity * priced.quantity)
        for component in sorted(bundle.components, key=lambda component: component.sku)
    ]
    weights = [product.price.amount_minor * quantity for product, quantity in parts]
    shares = share_out(priced.total.amount_minor, weights)
    steps = tuple(step.document for step in priced.steps)
    discounts = [share_out(each, weights) for each in _discounts(priced)]
    return [
        replace(
            _line(priced, locale, product),
            quantity=quantity,
            # Rounded down where a share is no multiple of the quantity; the total is what counts.
            unit_price=Money(share // quantity, priced.total.currency),
            total=Money(share, priced.total.currency),
            price_derivation=(*steps, _share_step(priced, share, weight, sum(weights), off)),
            bundle_sku=priced.product.sku,
            bundle_no=priced.line_no,
            bundle_policy=bundle.policy.value,
        )
        for (product, quantity), weight, share, off in zip(
            parts, weights, shares, zip(*discounts, strict=True), strict=True
        )
    ]


def _discounts(priced: PricedLine) -> tuple[int, int]:
    """What coupons and what promotions took off the whole line."""
    off = {"coupon": 0, "promotion": 0}
    for step in priced.steps:
        if step.kind in off:
            units = 1 if step.of == "line" else priced.quantity
            off[step.kind] += (step.before - step.after) * units
    return off["coupon"], off["promotion"]


def _share_step(
    priced: PricedLine, share: int, weight: int, whole: int, off: tuple[int, ...]
) -> dict[str, str | int]:
    """`weight` of `whole`: the components by base price. Of discounts it has its share too."""
    coupon, promotion = off
    told = {"coupon_discount": coupon, "promotion_discount": promotion} if any(off) else {}
    return {
        **told,
        "rule": "bundle_share",
        "of": "line",
        "before": priced.total.amount_minor,
        "after": share,
        "weight": weight,
        "whole": whole,
    }


def _component(
    priced: PricedLine, component: Component, products: Mapping[str, Product]
) -> Product:
    product = products.get(component.sku)
    bad = (
        product is None
        or not product.is_active
        or isinstance(product.fulfillment, BundleFulfillment)
        or product.price.currency != priced.total.currency
    )
    if product is None or bad:
        pointer = f"/lines/{priced.line_no - 1}/sku"
        detail = f"{component.sku} is not on sale"
        errors = [{"pointer": pointer, "code": ComponentUnavailable.code, "detail": detail}]
        raise ComponentUnavailable(sku=priced.product.sku, component=component.sku, errors=errors)
    return product


def _line(priced: PricedLine, locale: str | None, component: Product | None = None) -> Line:
    product = component or priced.product
    fulfillment = product.fulfillment
    told = product.told_in(locale)
    asked = {field.name for field in product.form}
    return Line(
        id=new_id(),
        line_no=priced.line_no,
        product_id=product.id,
        sku=product.sku,
        name=product.name,
        kind=product.kind.value,
        pool_id=fulfillment.pool_id if isinstance(fulfillment, PoolFulfillment) else None,
        quantity=priced.quantity,
        unit_price=priced.unit_price,
        total=priced.total,
        instructions=told.instructions,
        inputs={name: value for name, value in priced.inputs.items() if name in asked},
        terms=terms_of(fulfillment),
        form=tuple(form_terms(product.form)),
        template=product.template,
        region=product.rules.region,
        redemption=_redemption(product, told.redemption),
        image_url=product.image_url,
        options=product.options,
        price_derivation=tuple(step.document for step in priced.steps),
    )


def _redemption(product: Product, told: str) -> dict[str, str | int | None]:
    redemption = product.redemption
    if redemption == Redemption():
        return {}
    return {"text": told, "url": redemption.url, "valid_days": redemption.valid_days}


def coupon_claim(order: Order, asked: PriceBasis, priced: Priced) -> CouponClaim | None:
    """What the order uses of coupons and budgets; None when it uses none."""
    if not priced.uses:
        return None
    hashes = {code.rule.id: code.code_hash for code in asked.codes if code.rule}
    redemptions = tuple(
        LimitUse(use.rule.id, use.discount, _comes_back(use.rule), hashes.get(use.rule.id))
        for use in priced.uses
    )
    customer = order.customer
    return CouponClaim(order.id, order.merchant_id, customer.id, customer.contact_hash, redemptions)


def _comes_back(rule: Rule) -> bool:
    """Whether a whole refund frees the use; what a promotion gave away comes back with it."""
    return not isinstance(rule.terms, CouponTerms) or rule.terms.returns_on_refund


def begin(
    order: Order,
    lines: tuple[PricedLine, ...],
    *,
    payment: Payment | None,
    cause: str,
) -> Change:
    """The order's first entries and news; with a payment it is placed and paid at once."""
    change = Change(order, cause)
    change = change.told(
        "priced",
        f"{len(lines)} line(s) priced: {order.total}",
        total=order.total.amount_minor,
        currency=order.total.currency,
        lines=[dict(line.derivation) for line in lines],
    )
    if order.reservation_id is not None:
        held = [line for line in order.lines if line.pool_id is not None]
        change = change.told(
            "reserved",
            f"{sum(line.quantity for line in held)} unit(s) are held",
            reservation_id=str(order.reservation_id),
            pools=[
                {"sku": line.sku, "pool_id": str(line.pool_id), "quantity": line.quantity}
                for line in held
            ],
        )
    change = change.told(
        "placed",
        f"placed as {order.reference}",
        channel_id=str(order.channel_id),
        reference=order.reference,
        pay_until=order.pay_until.isoformat(),
    ).announced(News.PLACED, replace(order, payment=payment))
    if order.assessment_id:
        change = change.told(
            "assessed",
            f"risk says {order.verdict}",
            assessment_id=order.assessment_id,
            verdict=order.verdict,
            rules=[],
            reviewer="",
            note="",
        )
    return pay(change, payment, order.placed_at) if payment else change


class ComponentUnavailable(Conflict):
    """The bundle cannot be sold now: one of its components is not on sale."""

    code = "component_unavailable"


class OrderTooLarge(Invalid):
    """With its bundles taken apart the order has too many lines, or too many of one product."""

    code = "order_too_large"
