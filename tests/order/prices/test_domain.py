"""Prices worked out by hand, one kind of rule after another."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from order.catalogue.domain import Product
from order.price_rules.domain import (
    Effect,
    EffectKind,
    Ladder,
    ListTerms,
    PromotionTerms,
    Rounding,
    RoundingMode,
    Rule,
    Scope,
    Tier,
)
from order.prices.domain import Priced, ProductInactive, UnknownSku, Wanted, price
from order.unit_prices.domain import Facts, book_of
from tests.order.factories import SHOP, UNTRUSTED, a_product, a_rule

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
CARD = a_product("CARD", 1000)
TOKEN = a_product("TOKEN", 333)


def priced(*lines: tuple[str, int], products: tuple[Product, ...] = (), **facts: Any) -> Priced:
    known = {product.sku: product for product in (CARD, TOKEN, *products)}
    book = book_of(facts.pop("rules", ()))
    facts = {"products": known, "channel_id": SHOP, "now": NOW, "book": book, **facts}
    return price(Facts(**facts), [Wanted(sku, quantity, {}) for sku, quantity in lines])


def unit(result: Priced) -> int:
    return result.lines[0].unit_price.amount_minor


def percent(basis_points: int, **given: Any) -> PromotionTerms:
    return PromotionTerms(Effect(EffectKind.PERCENT_OFF, basis_points), **given)


def listed(entry: Ladder, terms: ListTerms | None = None, **given: Any) -> dict[str, Any]:
    """Facts with one price list that has an entry for CARD."""
    rule = a_rule(terms or ListTerms(), **given)
    return {"rules": [rule], "entries": {(rule.id, "CARD"): entry}}


def test_without_rules_a_line_costs_its_quantity_times_the_base_price():
    result = priced(("CARD", 2), ("TOKEN", 3))

    assert [line.total.amount_minor for line in result.lines] == [2000, 999]
    assert result.total.amount_minor == 2999
    assert [step.document for step in result.lines[0].steps] == [
        {"rule": "base", "of": "unit", "before": 1000, "after": 1000}
    ]


@pytest.mark.parametrize(
    ("quantity", "expected"), [(1, 1000), (9, 1000), (10, 950), (49, 950), (50, 900), (500, 900)]
)
def test_a_tier_counts_from_its_quantity_on(quantity: int, expected: int):
    tiers = (Tier(10, price=950), Tier(50, basis_points_off=1000))
    product = a_product("TIERED", 1000, ladder=Ladder(tiers=tiers))

    assert unit(priced(("TIERED", quantity), products=(product,))) == expected


def test_lines_of_one_product_reach_a_tier_together():
    product = a_product("TIERED", 1000, ladder=Ladder(tiers=(Tier(10, price=900),)))

    result = priced(("TIERED", 4), ("CARD", 1), ("TIERED", 6), products=(product,))

    assert [line.total.amount_minor for line in result.lines] == [3600, 1000, 5400]


def test_an_entry_of_a_price_list_replaces_the_base_price():
    result = priced(("CARD", 2), ("TOKEN", 1), **listed(Ladder(price=870), name="resellers"))

    assert [line.total.amount_minor for line in result.lines] == [1740, 333]
    step = result.lines[0].steps[-1].document
    assert (step["rule"], step["name"], step["before"], step["after"]) == (
        "price_list",
        "resellers",
        1000,
        870,
    )


def test_an_entry_in_percent_takes_off_what_the_quantity_costs():
    product = a_product("CARD", 1000, ladder=Ladder(tiers=(Tier(10, price=900),)))
    facts = listed(Ladder(basis_points_off=500))

    assert unit(priced(("CARD", 1), products=(product,), **facts)) == 950
    assert unit(priced(("CARD", 10), products=(product,), **facts)) == 855


def test_an_entrys_own_tiers_count_instead_of_the_products():
    product = a_product("CARD", 1000, ladder=Ladder(tiers=(Tier(10, price=100),)))
    entry = Ladder(price=800, tiers=(Tier(10, price=700), Tier(100, basis_points_off=2500)))

    assert unit(priced(("CARD", 10), products=(product,), **listed(entry))) == 700
    assert unit(priced(("CARD", 100), products=(product,), **listed(entry))) == 600


def test_an_entry_of_another_currency_says_nothing():
    assert unit(priced(("CARD", 1), **listed(Ladder(price=1), currency="USD"))) == 1000


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (Effect(EffectKind.PERCENT_OFF, 1550), 845),
        (Effect(EffectKind.PERCENT_OFF, 10_000), 0),
        (Effect(EffectKind.AMOUNT_OFF, 120), 880),
        (Effect(EffectKind.AMOUNT_OFF, 5000), 0),
        (Effect(EffectKind.FIXED_PRICE, 799), 799),
        (Effect(EffectKind.FIXED_PRICE, 1200), 1000),
    ],
)
def test_a_promotion_lowers_a_units_price(effect: Effect, expected: int):
    assert unit(priced(("CARD", 1), rules=[a_rule(PromotionTerms(effect))])) == expected


def test_a_percentage_is_rounded_half_to_even():
    # 333 less half is 166.5, 999 less half is 499.5.
    result = priced(("TOKEN", 1), rules=[a_rule(percent(5000))])
    other = priced(("ODD", 1), products=(a_product("ODD", 999),), rules=[a_rule(percent(5000))])

    assert (unit(result), unit(other)) == (166, 500)


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        (Scope(valid_from=NOW), True),
        (Scope(valid_from=NOW + timedelta(microseconds=1)), False),
        (Scope(valid_to=NOW), False),
        (Scope(valid_to=NOW + timedelta(microseconds=1)), True),
        (Scope(channels=frozenset({SHOP})), True),
        (Scope(channels=frozenset({UNTRUSTED})), False),
        (Scope(groups=frozenset({"vip"})), True),
        (Scope(groups=frozenset({"staff"})), False),
    ],
)
def test_a_promotion_holds_in_its_window_its_channels_and_its_groups(scope: Scope, holds: bool):
    rules = [a_rule(percent(1000), scope=scope)]

    result = priced(("CARD", 1), rules=rules, groups=frozenset({"vip", "new"}))

    assert unit(result) == (900 if holds else 1000)


def test_a_promotion_for_named_products_leaves_the_others_alone():
    result = priced(("CARD", 1), ("TOKEN", 1), rules=[a_rule(percent(1000, skus={"CARD"}))])

    assert [line.total.amount_minor for line in result.lines] == [900, 333]


def test_combinable_promotions_follow_each_other_by_priority():
    rules = [
        a_rule(percent(1000, is_exclusive=False), priority=1),
        a_rule(PromotionTerms(Effect(EffectKind.AMOUNT_OFF, 100), is_exclusive=False), priority=2),
    ]

    # (1000 - 100) less 10 %: not 1000 less 10 %, then 100.
    assert unit(priced(("CARD", 1), rules=rules)) == 810


def test_an_exclusive_promotion_that_comes_first_counts_alone():
    rules = [a_rule(percent(1000, is_exclusive=False)), a_rule(percent(500), priority=1)]

    assert unit(priced(("CARD", 1), rules=rules)) == 950


def test_an_exclusive_promotion_that_comes_later_does_not_count():
    rules = [a_rule(percent(1000, is_exclusive=False), priority=1), a_rule(percent(500))]

    assert unit(priced(("CARD", 1), rules=rules)) == 900


@pytest.mark.parametrize("swap", [False, True])
def test_precedence_is_priority_then_specific_then_cheap_then_id(swap: bool):
    def won(*rules: Rule) -> UUID:
        given = list(reversed(rules)) if swap else list(rules)
        rule = priced(("CARD", 1), rules=given).lines[0].steps[-1].rule
        assert rule is not None
        return rule.id

    dear = a_rule(percent(100), priority=1)
    cheap = a_rule(percent(5000))
    assert won(dear, cheap) == dear.id
    named = a_rule(percent(200, skus={"CARD"}))
    assert won(named, cheap) == named.id
    assert won(a_rule(percent(100)), cheap) == cheap.id
    assert won(cheap, a_rule(percent(5000))) == cheap.id


def test_of_two_price_lists_the_more_specific_one_counts():
    general, special = a_rule(ListTerms()), a_rule(ListTerms(), scope=Scope(frozenset({SHOP})))
    entries = {(general.id, "CARD"): Ladder(price=500), (special.id, "CARD"): Ladder(price=900)}

    for rules in ([general, special], [special, general]):
        assert unit(priced(("CARD", 1), rules=rules, entries=entries)) == 900


def test_of_two_lists_with_an_entry_each_for_another_product_both_count():
    one, two = a_rule(ListTerms(), priority=5), a_rule(ListTerms())
    entries = {(one.id, "TOKEN"): Ladder(price=300), (two.id, "CARD"): Ladder(price=900)}

    result = priced(("CARD", 1), ("TOKEN", 1), rules=[one, two], entries=entries)

    assert [line.total.amount_minor for line in result.lines] == [900, 300]


@pytest.mark.parametrize(
    ("rounding", "amount", "expected"),
    [
        (Rounding(10), 1234, 1230),
        (Rounding(10), 1235, 1240),
        (Rounding(10), 1225, 1220),
        (Rounding(10, RoundingMode.UP), 1231, 1240),
        (Rounding(10, RoundingMode.UP), 1230, 1230),
        (Rounding(10, RoundingMode.DOWN), 1239, 1230),
        (Rounding(100, RoundingMode.UP, 99), 1200, 1299),
        (Rounding(100, RoundingMode.UP, 99), 1299, 1299),
        (Rounding(100, RoundingMode.DOWN, 99), 1298, 1199),
        (Rounding(100, RoundingMode.HALF_EVEN, 99), 1240, 1199),
        (Rounding(100, RoundingMode.DOWN, 99), 50, 50),
        (Rounding(100), 40, 40),
    ],
)
def test_rounding_by_hand(rounding: Rounding, amount: int, expected: int):
    assert rounding.applied(amount) == expected


def test_a_price_that_a_rule_made_is_rounded():
    rules = [a_rule(percent(1234))]

    result = priced(("CARD", 1), rules=rules, rounding=Rounding(100, RoundingMode.DOWN, 99))

    assert [(step.kind, step.after) for step in result.lines[0].steps] == [
        ("base", 1000),
        ("promotion", 877),
        ("rounding", 799),
    ]


def test_rounding_leaves_the_base_price_alone_and_lifts_nothing_above_it():
    rounding = Rounding(300, RoundingMode.UP)

    assert unit(priced(("CARD", 1), rounding=rounding)) == 1000
    assert unit(priced(("CARD", 1), rounding=rounding, rules=[a_rule(percent(100))])) == 1000


def test_a_list_rounds_what_its_entries_say_and_the_merchant_what_comes_out():
    facts = listed(Ladder(basis_points_off=1230), ListTerms(Rounding(50, RoundingMode.DOWN)))
    rules = [*facts.pop("rules"), a_rule(percent(1000))]

    result = priced(("CARD", 1), rules=rules, rounding=Rounding(10, RoundingMode.DOWN), **facts)

    assert [(step.kind, step.after) for step in result.lines[0].steps] == [
        ("base", 1000),
        ("price_list", 850),
        ("promotion", 765),
        ("rounding", 760),
    ]


def test_combinable_promotions_together_count_against_an_exclusive_one():
    rules = [
        a_rule(percent(1000, is_exclusive=False)),
        a_rule(PromotionTerms(Effect(EffectKind.AMOUNT_OFF, 150), is_exclusive=False)),
    ]

    # 1000 less 10 % less 150 is 750: dearer than 740, cheaper than 751.
    for exclusive, expected in ((740, 740), (751, 750)):
        fixed = a_rule(PromotionTerms(Effect(EffectKind.FIXED_PRICE, exclusive)))
        assert unit(priced(("CARD", 1), rules=[*rules, fixed])) == expected


def test_a_promotion_stops_when_its_budget_does_not_last_for_the_whole_order():
    rule = a_rule(percent(1000, budget=250))

    kept = priced(("CARD", 2), rules=[rule], left={rule.id: 250})
    over = priced(("CARD", 2), ("CARD", 1), rules=[rule], left={rule.id: 250})

    assert (kept.total.amount_minor, kept.uses[0].discount) == (1800, 200)
    assert (over.total.amount_minor, over.uses) == (3000, ())


def test_a_promotion_without_budget_takes_the_place_of_one_that_is_spent():
    spent, other = a_rule(percent(5000, budget=1), priority=1), a_rule(percent(1000))

    result = priced(("CARD", 1), rules=[spent, other], left={spent.id: 1})

    assert result.total.amount_minor == 900


def test_what_is_not_on_sale_has_no_price():
    with pytest.raises(UnknownSku):
        priced(("NOTHING", 1))
    with pytest.raises(ProductInactive):
        priced(("OLD", 1), products=(a_product("OLD", is_active=False),))
