"""What late payments need of the database: the facts before units are held, the last word after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from kit.db import Transaction
from kit.errors import DomainError
from order.catalogue import service as catalogue
from order.catalogue.domain import Product
from order.coupons import service as coupons
from order.late_payments import domain
from order.limits import service as limits
from order.limits.domain import Claim, Use
from order.merchants import service as merchants
from order.merchants.domain import Channel
from order.orders import service as orders
from order.orders.domain import Order, Verdict
from order.payments import service as payments
from order.prices.domain import PriceBasis, Question
from order.prices.service import PriceReader
from order.quotes.domain import RanOut
from order.steps.domain import Step


@dataclass(frozen=True, slots=True)
class Facts:
    """An ended order, and what it would meet if it were placed today."""

    order: Order
    channel: Channel
    products: Mapping[str, Product]
    asked: PriceBasis

    @property
    def refusal(self) -> str:
        """Why it is not to be sold any more, a limit not counted; empty when it may be."""
        return domain.refusal(self.order, self.channel, self.products, self.asked.facts.now)


async def read(tx: Transaction, prices: PriceReader, step: Step) -> Facts:
    """Raises OrderNotFound."""
    order = await orders.get_order(tx, step.merchant_id, step.order_id)
    channel = (await merchants.find_channels(tx, [order.channel_id]))[order.channel_id]
    products = (await _products_of(tx, [order]))[order.id]
    found = await catalogue.find_components(tx, products.values())
    question = Question(
        merchant_id=order.merchant_id,
        channel_id=channel.id,
        own_list=channel.price_list_id,
        groups=frozenset(),
        products={**{sku: part for (_, sku), part in found.items()}, **products},
    )
    [asked] = await prices.ask_many(tx, [question])
    if isinstance(asked, DomainError):
        raise asked
    return Facts(order, channel, question.products, asked)


async def why_not(tx: Transaction, facts: Facts) -> str:
    """A limit that the order would not fit in now; empty when it fits. `confirm` looks again."""
    claims, why = _claims(facts.order, facts.products)
    if not claims:
        return why
    [reached] = await limits.check_many(tx, [claims])
    return reached.code if reached else ""


async def confirm(tx: Transaction, done: Sequence[tuple[Order, Step]]) -> Mapping[UUID, str]:
    """Why which orders cannot be revived although their goods are held: by step. The others' money
    pays them, and what they take of limits and coupons is written. A constant number of statements.

    The orders are locked. They count against limits as soon as they are paid.
    """
    kept = [(order, step, domain.kept_for(order, step)) for order, step in done]
    wanted = [(order, step, payment) for order, step, payment in kept if payment]
    if not wanted:
        return {}
    products = await _products_of(tx, [order for order, _, _ in wanted])
    claims = {order.id: _last_claims(order, products[order.id]) for order, _, _ in wanted}
    refused = {order_id: why for order_id, (_, why) in claims.items() if why}
    asking = [order for order, _, _ in wanted if order.id not in refused]
    drafts = [(order.id, claims[order.id][0]) for order in asking]
    reached = await limits.take(tx, drafts)
    refused |= {asking[place].id: error.code for place, error in reached.items()}
    left = [order.id for order in asking if order.id not in refused]
    refused |= dict.fromkeys(await coupons.use_again(tx, left), RanOut.code)
    fit = [(order, payment) for order, _, payment in wanted if order.id not in refused]
    await limits.record(
        tx,
        [Use(order.merchant_id, order.id, it) for order, _ in fit for it in claims[order.id][0]],
    )
    await payments.take_late(tx, [payment.id for _, payment in fit])
    return {step.id: refused[order.id] for order, step, _ in wanted if order.id in refused}


def _last_claims(order: Order, products: Mapping[str, Product]) -> tuple[tuple[Claim, ...], str]:
    """As `_claims`; risk may have spoken since."""
    if order.verdict is Verdict.DECLINE:
        return (), "declined"
    return _claims(order, products)


def _claims(order: Order, products: Mapping[str, Product]) -> tuple[tuple[Claim, ...], str]:
    """What it takes of limits, or why it cannot."""
    if not domain.skus_of(order) <= products.keys():
        return (), "not_on_sale"
    try:
        return domain.claims_on(order, products), ""
    except DomainError as error:
        return (), error.code


async def _products_of(tx: Transaction, found: Iterable[Order]) -> dict[UUID, dict[str, Product]]:
    """By order and SKU, in one statement."""
    named = {order.id: (order.merchant_id, domain.skus_of(order)) for order in found}
    keys = {(merchant_id, sku) for merchant_id, skus in named.values() for sku in skus}
    products = await catalogue.find_by_sku(tx, keys)
    return {
        order_id: {
            sku: products[merchant_id, sku] for sku in skus if (merchant_id, sku) in products
        }
        for order_id, (merchant_id, skus) in named.items()
    }
