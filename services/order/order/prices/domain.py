"""What things cost. Integers only; each line tells how its price came about.

A unit's price goes through: the product's own price (with its tiers), one entry of a price list,
promotions, rounding. Coupons then take off the order's lines. Which of several rules counts:
priority, then the more specific, then the lower price, then the id; so their order never matters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from kit.errors import Conflict, Invalid
from kit.money import Money, share_out
from order.catalogue.domain import Product
from order.coupons.domain import Guess
from order.price_rules.domain import CouponTerms, EffectKind, Rule, RuleKind, taken_off
from order.unit_prices.domain import NO_RULES, Book, Facts, Step, unit_steps

TOTAL_MINOR_MAX = 10**13


@dataclass(frozen=True, slots=True)
class Wanted:
    sku: str
    quantity: int
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PricedLine:
    """`total` is what is paid for the line: all units less the coupons' shares."""

    line_no: int
    product: Product
    quantity: int
    inputs: Mapping[str, str]
    unit_price: Money
    total: Money
    steps: tuple[Step, ...]

    @property
    def rule(self) -> str:
        """The kind of the last rule that made the price."""
        return self.steps[-1].kind

    @property
    def derivation(self) -> Mapping[str, object]:
        """For the timeline: which rule made which price."""
        return {
            "line_no": self.line_no,
            "sku": self.product.sku,
            "quantity": self.quantity,
            "rule": self.rule,
            "unit_price": self.unit_price.amount_minor,
            "total": self.total.amount_minor,
            "currency": self.total.currency,
            "steps": [step.document for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class Use:
    """What a rule with a limit gave away in this order."""

    rule: Rule
    discount: int


@dataclass(frozen=True, slots=True)
class Priced:
    """`refused`: why a coupon, by its id, takes nothing off."""

    lines: tuple[PricedLine, ...]
    total: Money
    uses: tuple[Use, ...] = ()
    refused: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A coupon code that came at this place of the list; `reason`: why it cannot count at all.

    `code_hash` is of a single-use code. `rule` is None for a code that does not exist.
    """

    position: int
    rule: Rule | None
    code_hash: bytes | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know the price of. `sources` name who shows the codes."""

    merchant_id: UUID
    channel_id: UUID
    own_list: UUID | None
    groups: frozenset[str]
    products: Mapping[str, Product]
    codes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PriceBasis:
    """The facts for a question, what became of its codes, and the merchant's margin floors."""

    facts: Facts
    codes: tuple[ShownCode, ...] = ()
    guess: Guess | None = None
    floors: tuple[Rule, ...] = ()

    @property
    def misses(self) -> int:
        """How many of the codes do not exist."""
        return sum(code.rule is None for code in self.codes)


@dataclass(frozen=True, slots=True)
class CouponAnswer:
    """What a code does for the order: a discount, or why it takes nothing off."""

    position: int
    name: str
    discount: int
    reason: str

    @property
    def document(self) -> dict[str, str | int]:
        if self.reason:
            return {"position": self.position, "reason": self.reason}
        return {"position": self.position, "name": self.name, "discount": self.discount}


def price(facts: Facts, wanted: Sequence[Wanted]) -> Priced:
    """The price of each line.

    Raises UnknownSku, ProductInactive, MixedCurrencies, TotalTooLarge, each naming the line.
    """
    products = [_product_of(facts, place, line) for place, line in enumerate(wanted)]
    currencies = {product.price.currency for product in products}
    if len(currencies) > 1:
        raise MixedCurrencies(currencies=sorted(currencies), errors=[_at(0, MixedCurrencies.code)])
    lines, given = _with_rules(facts, wanted, products)
    lines, uses, refused = _with_coupons(facts, lines)
    total = total_of(lines)
    if total.amount_minor > TOTAL_MINOR_MAX:
        raise TotalTooLarge(errors=[_at(len(lines) - 1, TotalTooLarge.code)])
    return Priced(tuple(lines), total, (*given, *uses), refused)


def total_of(lines: Sequence[PricedLine]) -> Money:
    return Money(sum(line.total.amount_minor for line in lines), lines[0].total.currency)


def coupon_answers(codes: Sequence[ShownCode], priced: Priced | None) -> tuple[CouponAnswer, ...]:
    """What became of each code that was shown."""
    discounts = {use.rule.id: use.discount for use in priced.uses} if priced else {}
    refused = priced.refused if priced else {}
    return tuple(_coupon_answer(code, discounts, refused) for code in codes)


def _coupon_answer(
    code: ShownCode, discounts: Mapping[UUID, int], refused: Mapping[UUID, str]
) -> CouponAnswer:
    reason = code.reason
    if code.rule is not None and not reason:
        reason = refused.get(code.rule.id, "")
    if code.rule is None or reason:
        return CouponAnswer(code.position, "", 0, reason)
    return CouponAnswer(code.position, code.rule.name, discounts.get(code.rule.id, 0), "")


def _product_of(facts: Facts, place: int, wanted: Wanted) -> Product:
    product = facts.products.get(wanted.sku)
    if product is None:
        raise UnknownSku(sku=wanted.sku, errors=[_at(place, UnknownSku.code)])
    if not product.is_active:
        raise ProductInactive(sku=wanted.sku, errors=[_at(place, ProductInactive.code)])
    return product


def _with_rules(
    facts: Facts, wanted: Sequence[Wanted], products: Sequence[Product]
) -> tuple[list[PricedLine], list[Use]]:
    """A promotion whose budget this order would exceed does not count for any of its lines."""
    quantities: dict[str, int] = {}
    for line in wanted:  # several lines of one product reach a tier together
        quantities[line.sku] = quantities.get(line.sku, 0) + line.quantity
    spent: frozenset[UUID] = frozenset()
    while True:
        book = facts.book
        if book is not NO_RULES:
            book = book.narrowed(facts, products[0].price.currency, spent)
        lines = [
            _price_line(facts, book, place, line, product, quantities[line.sku])
            for place, (line, product) in enumerate(zip(wanted, products, strict=True))
        ]
        given = _given(lines, facts.left) if facts.left else []
        over = {use.rule.id for use in given if use.discount > facts.left[use.rule.id]}
        if not over:
            return lines, given
        spent |= over


def _given(lines: Sequence[PricedLine], left: Mapping[UUID, int]) -> list[Use]:
    """What promotions with a budget take off in all."""
    uses: dict[UUID, Use] = {}
    for line in lines:
        for step in line.steps:
            if step.rule is None or step.kind != RuleKind.PROMOTION or step.rule.id not in left:
                continue
            discount = (step.before - step.after) * line.quantity
            known = uses.get(step.rule.id)
            uses[step.rule.id] = Use(step.rule, discount + (known.discount if known else 0))
    return list(uses.values())


def _price_line(
    facts: Facts, book: Book, place: int, wanted: Wanted, product: Product, quantity: int
) -> PricedLine:
    steps = unit_steps(facts, book, product, quantity)
    unit = steps[-1].after
    currency = product.price.currency
    return PricedLine(
        line_no=place + 1,
        product=product,
        quantity=wanted.quantity,
        inputs=wanted.inputs,
        unit_price=Money(unit, currency),
        total=Money(unit * wanted.quantity, currency),
        steps=tuple(steps),
    )


def _with_coupons(
    facts: Facts, lines: list[PricedLine]
) -> tuple[list[PricedLine], list[Use], dict[UUID, str]]:
    if not facts.coupons:
        return lines, [], {}
    uses: list[Use] = []
    refused: dict[UUID, str] = {}
    listed = lines
    is_alone = len(facts.coupons) == 1
    for rule in sorted(facts.coupons, key=lambda rule: (-rule.priority, rule.id)):
        assert isinstance(rule.terms, CouponTerms)
        reason = _refusal(facts, rule, rule.terms, listed, is_alone=is_alone)
        cut = [] if reason else _cut(rule, rule.terms, lines)
        discount = sum(cut)
        if not reason and discount == 0:
            reason = "no_effect"
        elif not reason and discount > facts.left.get(rule.id, discount):
            reason = "used_up"
        if reason:
            refused[rule.id] = reason
            continue
        lines = [_less(line, rule, share) for line, share in zip(lines, cut, strict=True)]
        uses.append(Use(rule, discount))
    return lines, uses, refused


def _refusal(
    facts: Facts, rule: Rule, terms: CouponTerms, lines: Sequence[PricedLine], *, is_alone: bool
) -> str:
    """Why the coupon does not count for these lines; empty when it does."""
    if not rule.is_active or not rule.scope.holds(facts.channel_id, facts.groups, facts.now):
        return "not_valid"
    if terms.is_exclusive and not is_alone:
        return "not_combinable"
    if not rule.fits(lines[0].total.currency):
        return "other_currency"
    eligible = [line for line in lines if _is_for(terms, line)]
    if not eligible:
        return "other_products"
    if total_of(eligible).amount_minor < terms.minimum_spend:
        return "minimum_spend"
    return ""


def _is_for(terms: CouponTerms, line: PricedLine) -> bool:
    return not terms.skus or line.product.sku in terms.skus


def _cut(rule: Rule, terms: CouponTerms, lines: Sequence[PricedLine]) -> list[int]:
    """What the coupon takes off each line."""
    totals = [line.total.amount_minor if _is_for(terms, line) else 0 for line in lines]
    whole = sum(totals)
    if terms.effect.kind is EffectKind.FIXED_PRICE:
        fixed = [
            max(0, total - terms.effect.value * line.quantity)
            for total, line in zip(totals, lines, strict=True)
        ]
        return _capped(fixed, terms.discount_max, lines)
    if terms.effect.kind is EffectKind.PERCENT_OFF:
        discount = whole - taken_off(whole, terms.effect.value)
    else:
        discount = min(whole, terms.effect.value)
    if terms.discount_max is not None:
        discount = min(discount, terms.discount_max)
    return _shares(discount, totals, lines)


def _capped(cut: list[int], discount_max: int | None, lines: Sequence[PricedLine]) -> list[int]:
    if discount_max is None or sum(cut) <= discount_max:
        return cut
    return _shares(discount_max, cut, lines)


def _shares(discount: int, weights: Sequence[int], lines: Sequence[PricedLine]) -> list[int]:
    """By weight; a line that has none gets none. The heavier one is served first, then by SKU, so
    that the order of the lines decides nothing.
    """
    if not any(weights):
        return [0] * len(weights)
    order = sorted(
        range(len(weights)),
        key=lambda place: (-weights[place], lines[place].product.sku, lines[place].quantity),
    )
    shares = [0] * len(weights)
    for place, share in zip(
        order, share_out(discount, [weights[place] for place in order]), strict=True
    ):
        shares[place] = share
    return shares


def _less(line: PricedLine, rule: Rule, share: int) -> PricedLine:
    if share == 0:
        return line
    before = line.total.amount_minor
    step = Step(RuleKind.COUPON, before, before - share, of="line", rule=rule)
    total = Money(before - share, line.total.currency)
    return replace(line, total=total, steps=(*line.steps, step))


def _at(place: int, code: str) -> dict[str, str]:
    return {"pointer": f"/lines/{place}/sku", "code": code, "detail": code.replace("_", " ")}


class UnknownSku(Invalid):
    """There is no product with this SKU."""

    code = "unknown_sku"


class ProductInactive(Conflict):
    """The product is not on sale."""

    code = "product_inactive"


class MixedCurrencies(Invalid):
    """All lines of an order must be priced in one currency."""

    code = "mixed_currencies"


class TotalTooLarge(Invalid):
    """The order's total is beyond what an order may cost."""

    code = "total_too_large"
