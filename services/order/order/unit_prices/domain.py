"""What one unit costs: the product's price by quantity, a price list, promotions, rounding.

Which of several rules counts: priority, then the more specific, then the lower price, then the id.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from order.catalogue.domain import Product
from order.price_rules.domain import (
    Effect,
    EffectKind,
    Ladder,
    ListTerms,
    PromotionTerms,
    Rounding,
    Rule,
    RuleKind,
    Scope,
)

NOBODY = UUID(int=0)
_NO_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Promotion:
    """`rank`: those with the smallest count first."""

    rank: tuple[int, int]
    order: tuple[int, int, UUID]
    rule: Rule
    effect: Effect
    skus: frozenset[str]
    is_exclusive: bool
    is_bound: bool  # to channels, groups or a time: most are not, and are not asked


@dataclass(frozen=True, slots=True)
class Book:
    """A merchant's price lists and promotions, the latter in the order they are combined in."""

    lists: Sequence[Rule] = ()
    promotions: Sequence[Promotion] = ()

    def narrowed(self, facts: "Facts", currency: str, spent: frozenset[UUID]) -> "Book":
        """What holds for this order, but for promotions whose budget is spent."""
        about = facts.channel_id, facts.groups, facts.now
        return Book(
            [rule for rule in self.lists if rule.scope.holds(*about)],
            [
                each
                for each in self.promotions
                if (not each.is_bound or each.rule.scope.holds(*about))
                and each.rule.fits(currency)
                and each.rule.id not in spent
            ],
        )


NO_RULES = Book()
EVERYWHERE = Scope()
# Within one rank prices are named first, then shares and at last amounts are taken off: an order
# that depends on the rules only, never on the price, keeps larger quantities from getting dearer.
_EFFECT_ORDER = {
    EffectKind.FIXED_PRICE: 0,
    EffectKind.PERCENT_OFF: 1,
    EffectKind.AMOUNT_OFF: 2,
}


def book_of(rules: Iterable[Rule]) -> Book:
    """Sorted once for the many orders that are priced by it; other kinds of rules are left out."""
    lists: list[Rule] = []
    promotions: list[Promotion] = []
    for rule in rules:
        if isinstance(rule.terms, ListTerms):
            lists.append(rule)
        elif isinstance(rule.terms, PromotionTerms):
            promotions.append(_promotion(rule, rule.terms))
    promotions.sort(key=lambda each: (each.rank, each.order))
    return Book(tuple(lists), tuple(promotions))


def _promotion(rule: Rule, terms: PromotionTerms) -> Promotion:
    effect = terms.effect
    return Promotion(
        rank=(-rule.priority, -rule.scope.specificity - bool(terms.skus)),
        order=(_EFFECT_ORDER[effect.kind], effect.value, rule.id),
        rule=rule,
        effect=effect,
        skus=terms.skus,
        is_exclusive=terms.is_exclusive,
        is_bound=rule.scope != EVERYWHERE,
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a price depends on, as it was read at `now`.

    `own_list` is the price list that the channel names: it counts before all others. `entries` are
    those of the merchant's price lists, by (list, SKU). `left` says what rules with
    a budget may still give away. `coupons` are the rules behind the codes that were shown.
    """

    products: Mapping[str, Product]
    channel_id: UUID = NOBODY
    groups: frozenset[str] = frozenset()
    now: datetime = _NO_TIME
    book: Book = NO_RULES
    own_list: UUID | None = None
    entries: Mapping[tuple[UUID, str], Ladder] = field(default_factory=dict)
    rounding: Rounding | None = None
    left: Mapping[UUID, int] = field(default_factory=dict)
    coupons: Sequence[Rule] = ()


class Step(NamedTuple):
    """One rule's part in a price. `of` says of what: a unit, or the whole line.

    A tuple: made several times per line, it costs a third of a frozen dataclass.
    """

    kind: str
    before: int
    after: int
    of: str = "unit"
    rule: Rule | None = None

    @property
    def document(self) -> dict[str, str | int]:
        told: dict[str, str | int] = {"rule": self.kind}
        if self.rule is not None:
            told |= {
                "rule_id": str(self.rule.id),
                "name": self.rule.name,
                "version": self.rule.version,
            }
        return told | {"of": self.of, "before": self.before, "after": self.after}


def unit_steps(facts: Facts, book: Book, product: Product, quantity: int) -> list[Step]:
    """How the price of a unit comes about when so many are bought; the last step has the price."""
    base = product.price.amount_minor
    steps = [Step("base", base, base)]
    unit = base
    if product.tiers:
        unit = product.ladder.unit_price(base, quantity)
    if unit != base:
        steps.append(Step("tier", base, unit))
    if book.lists:
        unit = _listed(facts, book, product, quantity, unit, steps)
    if book.promotions:
        unit = _promoted(book, product.sku, unit, steps)
    if facts.rounding is not None:
        rounded = _rounded(facts.rounding, unit, base)
        if rounded != unit:
            steps.append(Step("rounding", unit, rounded))
    return steps


def _listed(
    facts: Facts, book: Book, product: Product, quantity: int, unit: int, steps: list[Step]
) -> int:
    """The price of the one entry that counts, rounded as its list says."""
    best: tuple[tuple[bool, int, int, int, UUID], Rule] | None = None
    base = product.price.amount_minor
    for rule in book.lists:
        entry = facts.entries.get((rule.id, product.sku))
        if entry is None or (entry.price is not None and not rule.fits(product.price.currency)):
            continue
        listed = entry.unit_price(unit, quantity)
        assert isinstance(rule.terms, ListTerms)
        if rule.terms.rounding is not None:
            listed = _rounded(rule.terms.rounding, listed, base)
        is_own = rule.id == facts.own_list
        rank = (not is_own, -rule.priority, -rule.scope.specificity, listed, rule.id)
        if best is None or rank < best[0]:
            best = (rank, rule)
    if best is None:
        return unit
    steps.append(Step(RuleKind.PRICE_LIST, unit, best[0][3], rule=best[1]))
    return best[0][3]


def _promoted(book: Book, sku: str, unit: int, steps: list[Step]) -> int:
    """Of the promotions that count first: the cheapest of each exclusive one alone, and all that
    can be combined (those that count later, too) one after another.
    """
    fitting = [each for each in book.promotions if not each.skus or sku in each.skus]
    if not fitting:
        return unit
    rank = fitting[0].rank
    alone = [each for each in fitting if each.is_exclusive and each.rank == rank]
    combined = [each for each in fitting if not each.is_exclusive]
    if combined and combined[0].rank != rank:
        combined = []
    after = unit
    for each in combined:
        after = each.effect.applied(after)
    if alone:
        cheapest = min(alone, key=lambda each: (each.effect.applied(unit), each.rule.id))
        if not combined or cheapest.effect.applied(unit) < after:
            combined = [cheapest]
    for each in combined:
        after = each.effect.applied(unit)
        if after != unit:
            steps.append(Step(RuleKind.PROMOTION, unit, after, rule=each.rule))
            unit = after
    return unit


def _rounded(rounding: Rounding, unit: int, base: int) -> int:
    """Each price that a rule made is rounded, but not to the other side of the base price."""
    if unit == base:
        return unit
    rounded = rounding.applied(unit)
    return min(rounded, base) if unit < base else max(rounded, base)
