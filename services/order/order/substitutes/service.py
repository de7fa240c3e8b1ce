"""Reads what a substitute's sale depends on, and counts it against purchase limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from kit.db import Transaction
from kit.errors import DomainError
from order.catalogue import service as catalogue
from order.catalogue.domain import Product
from order.limits import service as limits
from order.limits.domain import Claim, Use
from order.margins.domain import BelowMarginFloor
from order.margins.service import MarginService
from order.merchants import service as merchants
from order.merchants.domain import NO_FEE, Channel
from order.orders import service as orders
from order.orders.domain import Order
from order.prices.domain import PriceBasis, Question
from order.prices.service import PriceReader
from order.shortages.domain import is_wanted
from order.steps.domain import Step
from order.substitutes import domain


@dataclass(frozen=True, slots=True)
class Found:
    """A substitute, and why it is not for this buyer (empty when it is)."""

    order: Order
    channel: Channel
    product: Product | None
    refusal: str
    asked: PriceBasis | None = None


async def read(tx: Transaction, prices: PriceReader, step: Step) -> Found:
    """Raises OrderNotFound. A limit is looked at here and counted by `confirm`."""
    order = await orders.get_order(tx, step.merchant_id, step.order_id)
    channel = (await merchants.find_channels(tx, [order.channel_id]))[order.channel_id]
    key, quantity = _key(step), int(step.args["quantity"])
    product = (await catalogue.find_by_sku(tx, {key})).get(key)
    _, now = await orders.find_references(tx, [(order.merchant_id, channel.id, order.reference)])
    why = domain.refusal(order, channel, product, quantity, now)
    if product is None or why:
        return Found(order, channel, product, why)
    claims, why = _claims(order, product, quantity)
    if claims:
        [reached] = await limits.check_many(tx, [claims])
        why = reached.code if reached else ""
    question = Question(
        merchant_id=order.merchant_id,
        channel_id=channel.id,
        own_list=channel.price_list_id,
        groups=domain.groups_of(order),
        products={product.sku: product},
    )
    [asked] = await prices.ask_many(tx, [question])
    if isinstance(asked, DomainError):
        raise asked
    return Found(order, channel, product, why, asked)


async def why_too_dear(margins: MarginService, step: Step, found: Found) -> str:
    """The line's price would bring less than the substitute must; empty when it is enough. Not for
    use inside a transaction. Raises Unavailable when a pool's cost is needed and cannot be had.
    """
    line = next((line for line in found.order.lines if line.id == step.line_id), None)
    product, asked = found.product, found.asked
    if line is None or product is None or asked is None:
        return ""
    short = await margins.shortfalls(
        step.merchant_id,
        replace(found.channel, fee=NO_FEE),  # it is off the price already
        {product.sku: product},
        asked,
        domain.priced(found.order, line, product),
    )
    return BelowMarginFloor.code if short else ""


async def confirm(tx: Transaction, done: Sequence[tuple[Order, Step]]) -> Mapping[UUID, str]:
    """Which substitutes that are held a limit refuses, by step; the others' uses are written. A
    constant number of statements; the orders are locked.
    """
    wanted = [(order, step) for order, step in done if is_wanted(order, step)]
    products = await catalogue.find_by_sku(tx, {_key(step) for _, step in wanted})
    claims: dict[UUID, tuple[Claim, ...]] = {}
    refused: dict[UUID, str] = {}
    for order, step in wanted:
        product = products.get(_key(step))
        if product is not None:
            claims[step.id], why = _claims(order, product, int(step.args["quantity"]))
            refused |= {step.id: why} if why else {}
    asking = [it for it in wanted if claims.get(it[1].id)]
    reached = await limits.take(tx, [(step.id, claims[step.id]) for _, step in asking])
    refused |= {asking[place][1].id: error.code for place, error in reached.items()}
    await limits.record(
        tx,
        [
            Use(order.merchant_id, order.id, claim, line.id)
            for order, step in asking
            if step.id not in refused and (line := is_wanted(order, step))
            for claim in claims[step.id]
        ],
    )
    return refused


def _claims(order: Order, product: Product, quantity: int) -> tuple[tuple[Claim, ...], str]:
    try:
        return domain.claims_on(order, product, quantity), ""
    except DomainError as error:
        return (), error.code


def _key(step: Step) -> tuple[UUID, str]:
    return step.merchant_id, str(step.args["sku"])
