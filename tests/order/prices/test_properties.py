"""What holds for every price, whatever the rules: tried on made-up ones."""

import random
from collections import Counter
from dataclasses import fields, is_dataclass
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from order.catalogue.domain import Product
from order.price_rules.domain import (
    CouponTerms,
    Effect,
    EffectKind,
    Ladder,
    ListTerms,
    PromotionTerms,
    Rounding,
    RoundingMode,
    Rule,
    RuleKind,
    Scope,
    Tier,
    TiersRise,
)
from order.prices.domain import Priced, Wanted, price
from order.unit_prices.domain import Facts, book_of
from tests.order.factories import SHOP, UNTRUSTED, a_product, a_rule

SKUS = ("A", "B", "C")
# Few values beside many: rules that come out alike, or nearly so, are what goes wrong.
AMOUNTS = st.integers(0, 50_000) | st.sampled_from([0, 90, 99, 100, 101, 900, 999, 1000, 1001])
SHARES = st.integers(0, 10_000) | st.sampled_from([0, 100, 1000, 10_000])
EXAMPLES = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

effects = st.one_of(
    st.builds(Effect, st.just(EffectKind.PERCENT_OFF), SHARES),
    st.builds(Effect, st.just(EffectKind.AMOUNT_OFF), AMOUNTS),
    st.builds(Effect, st.just(EffectKind.FIXED_PRICE), AMOUNTS),
)
some_skus = st.frozensets(st.sampled_from(SKUS), max_size=2)
scopes = st.builds(
    Scope,
    channels=st.sampled_from([frozenset(), frozenset({SHOP}), frozenset({UNTRUSTED})]),
    groups=st.sampled_from([frozenset(), frozenset({"vip"}), frozenset({"staff"})]),
)
roundings = st.builds(
    Rounding, st.sampled_from([1, 10, 100]), st.sampled_from(RoundingMode), st.just(0)
) | st.builds(Rounding, st.just(100), st.sampled_from(RoundingMode), st.sampled_from([95, 99]))

Case = tuple[Facts, list[Wanted], list[Rule]]


def _ladder(entry: tuple[int | None, int, list[tuple[int, int]]]) -> Ladder | None:
    """None for tiers that could not be saved."""
    start, share, tiers = entry
    made = tuple(Tier(quantity, basis_points_off=off) for quantity, off in tiers)
    try:
        if start is None:
            return Ladder(None, share, made).checked()
        return Ladder(start, 0, made).checked()
    except TiersRise:
        return None


tier_lists = st.lists(
    st.tuples(st.integers(2, 30), SHARES), max_size=3, unique_by=lambda tier: tier[0]
)
ladders = (
    st.tuples(st.none() | AMOUNTS, SHARES, tier_lists)
    .map(_ladder)
    .filter(lambda it: it is not None)
)
lists = st.builds(
    lambda rounding, **given: a_rule(ListTerms(rounding), **given),
    st.none() | roundings,
    priority=st.integers(0, 1),
    scope=scopes,
)
promotions = st.builds(
    lambda effect, skus, alone, **given: a_rule(
        PromotionTerms(effect, skus, is_exclusive=alone), **given
    ),
    effects,
    some_skus,
    st.booleans(),
    priority=st.integers(0, 1),
    scope=scopes,
)
coupons = st.builds(
    lambda effect, skus, most, alone, **given: a_rule(
        CouponTerms(effect, skus, discount_max=most, is_exclusive=alone), **given
    ),
    effects,
    some_skus,
    st.none() | AMOUNTS,
    st.booleans(),
    priority=st.integers(0, 1),
)


@st.composite
def cases(draw: Any) -> Case:
    """A whole question: products, rules, entries, budgets, coupons and lines."""
    products: dict[str, Product] = {}
    for sku in SKUS:
        base = draw(AMOUNTS)
        tiers = draw(tier_lists)
        own = _ladder((base, 0, tiers)) or Ladder()
        products[sku] = a_product(sku, base, ladder=Ladder(tiers=own.tiers))
    rules: list[Rule] = draw(st.lists(lists | promotions, max_size=6))
    entries = {
        (rule.id, sku): draw(ladders)
        for rule in rules
        if rule.kind is RuleKind.PRICE_LIST
        for sku in draw(some_skus)
    }
    shown = draw(st.lists(coupons, max_size=2))
    left = {rule.id: draw(AMOUNTS) for rule in [*rules, *shown] if draw(st.booleans())}
    facts = Facts(
        products=products,
        channel_id=SHOP,
        groups=draw(st.sampled_from([frozenset(), frozenset({"vip"})])),
        book=book_of(rules),
        entries=entries,
        rounding=draw(st.none() | roundings),
        left=left,
        coupons=shown,
    )
    lines = draw(
        st.lists(
            st.builds(Wanted, st.sampled_from(SKUS), st.integers(1, 40), st.just({})),
            min_size=1,
            max_size=5,
        )
    )
    return facts, lines, rules


def _shown(result: Priced) -> Any:
    """All that is told of a price, whatever the order of its lines."""
    lines = Counter(
        (line.product.sku, line.quantity, line.unit_price, line.total, _story(line.steps))
        for line in result.lines
    )
    uses = {use.rule.id: use.discount for use in result.uses}
    return lines, result.total, uses, result.refused


def _story(steps: Any) -> tuple[tuple[str, UUID | None, int, int], ...]:
    return tuple(
        (step.kind, step.rule.id if step.rule else None, step.before, step.after) for step in steps
    )


def _with(facts: Facts, **given: Any) -> Facts:
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return Facts(**{**values, **given})


@EXAMPLES
@given(cases(), st.randoms(use_true_random=False))
def test_neither_the_order_of_rules_nor_of_lines_matters(case: Case, shuffler: random.Random):
    facts, lines, rules = case
    shown, mixed = list(facts.coupons), list(lines)
    for each in (rules, shown, mixed):
        shuffler.shuffle(each)

    assert _shown(price(_with(facts, book=book_of(rules), coupons=shown), mixed)) == _shown(
        price(facts, lines)
    )


@EXAMPLES
@given(cases())
def test_a_price_is_never_negative_and_its_story_is_unbroken(case: Case):
    facts, lines, _ = case

    result = price(facts, lines)

    assert result.total.amount_minor == sum(line.total.amount_minor for line in result.lines)
    for line in result.lines:
        assert line.unit_price.amount_minor >= 0
        assert 0 <= line.total.amount_minor <= line.unit_price.amount_minor * line.quantity
        of_unit = [step for step in line.steps if step.of == "unit"]
        of_line = [step for step in line.steps if step.of == "line"]
        assert of_unit[0].before == line.product.price.amount_minor
        assert of_unit[-1].after == line.unit_price.amount_minor
        ends = [line.unit_price.amount_minor * line.quantity, *(it.after for it in of_line)]
        assert [step.before for step in of_line] == ends[:-1]
        assert ends[-1] == line.total.amount_minor


@EXAMPLES
@given(cases())
def test_what_coupons_and_budgets_gave_is_what_the_lines_lack(case: Case):
    facts, lines, _ = case

    result = price(facts, lines)

    off_lines = sum(
        line.unit_price.amount_minor * line.quantity - line.total.amount_minor
        for line in result.lines
    )
    given_by_coupons = [use for use in result.uses if use.rule.kind is RuleKind.COUPON]
    assert sum(use.discount for use in given_by_coupons) == off_lines
    for use in result.uses:
        assert 0 < use.discount <= facts.left.get(use.rule.id, use.discount)


@EXAMPLES
@given(cases(), st.sampled_from(SKUS))
def test_a_unit_is_never_dearer_for_who_buys_more(case: Case, sku: str):
    facts, _, _ = case
    facts = _with(facts, coupons=(), left={})

    units = [
        price(facts, [Wanted(sku, quantity, {})]).lines[0].unit_price.amount_minor
        for quantity in range(1, 35)
    ]

    assert units == sorted(units, reverse=True)


@EXAMPLES
@given(cases())
def test_the_same_facts_give_the_same_price(case: Case):
    """A quote and an order ask the same function: for the same facts they say the same."""
    facts, lines, _ = case

    assert price(facts, lines) == price(facts, list(lines))


@EXAMPLES
@given(cases())
def test_there_is_no_float_in_any_price(case: Case):
    facts, lines, _ = case

    assert not list(_floats(price(facts, lines)))


def _floats(value: Any) -> Any:
    if isinstance(value, float):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _floats(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from _floats(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _floats(each)
