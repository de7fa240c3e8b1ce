"""What coupons take off an order's lines, worked out by hand."""

from datetime import UTC, datetime
from typing import Any

import pytest

from order.price_rules.domain import CouponTerms, Effect, EffectKind, PromotionTerms, Rule, Scope
from order.prices.domain import Priced, Wanted, price
from order.unit_prices.domain import Facts, book_of
from tests.order.factories import SHOP, UNTRUSTED, a_product, a_rule

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PRODUCTS = {
    sku: a_product(sku, amount)
    for sku, amount in (("CARD", 1000), ("TOKEN", 333), ("GIFT", 5000), ("FREE", 0))
}


def priced(*lines: tuple[str, int], coupons: list[Rule], **facts: Any) -> Priced:
    book = book_of(facts.pop("rules", ()))
    given = Facts(PRODUCTS, SHOP, now=NOW, book=book, coupons=coupons, **facts)
    return price(given, [Wanted(sku, quantity, {}) for sku, quantity in lines])


def a_coupon(kind: str, value: int, **given: Any) -> Rule:
    """Of a fixed amount when nothing else is said; rule fields under `rule`."""
    rule = given.pop("rule", {})
    return a_rule(CouponTerms(Effect(EffectKind(kind), value), **given), **rule)


def totals(result: Priced) -> list[int]:
    return [line.total.amount_minor for line in result.lines]


def test_an_amount_is_shared_over_the_lines_by_their_totals():
    coupon = a_coupon("amount_off", 1000)

    result = priced(("CARD", 1), ("GIFT", 1), ("TOKEN", 3), coupons=[coupon])

    # 1000 over 1000, 5000 and 999: 142.87, 714.39, 142.73 -> 143, 714, 143.
    assert totals(result) == [857, 4286, 856]
    assert result.total.amount_minor == 6999 - 1000
    assert [(use.rule.id, use.discount) for use in result.uses] == [(coupon.id, 1000)]
    step = result.lines[1].steps[-1].document
    assert (step["rule"], step["of"], step["before"], step["after"]) == (
        "coupon",
        "line",
        5000,
        4286,
    )


def test_a_percentage_is_of_all_eligible_lines_together():
    result = priced(("TOKEN", 1), ("TOKEN", 2), coupons=[a_coupon("percent_off", 1000)])

    # 10 % of 999 is 99.9: 899.1 is left, 899 after rounding; 100 are shared as 33 and 67.
    assert totals(result) == [333 - 33, 666 - 67]


def test_a_percentage_stops_at_its_greatest_discount():
    coupon = a_coupon("percent_off", 5000, discount_max=300)

    assert totals(priced(("CARD", 2), ("GIFT", 2), coupons=[coupon])) == [1950, 9750]


def test_a_fixed_price_holds_for_each_unit():
    coupon = a_coupon("fixed_price", 750, skus=frozenset({"CARD", "TOKEN"}))

    assert totals(priced(("CARD", 2), ("TOKEN", 1), ("GIFT", 1), coupons=[coupon])) == [
        1500,
        333,
        5000,
    ]


def test_a_fixed_price_too_stops_at_its_greatest_discount():
    coupon = a_coupon("fixed_price", 0, discount_max=400)

    assert totals(priced(("CARD", 1), ("CARD", 3), coupons=[coupon])) == [900, 2700]


def test_an_amount_takes_no_more_than_there_is():
    result = priced(("TOKEN", 1), ("FREE", 1), coupons=[a_coupon("amount_off", 5000)])

    assert (totals(result), result.uses[0].discount) == ([0, 0], 333)


def test_a_coupon_for_named_products_leaves_the_other_lines_alone():
    coupon = a_coupon("amount_off", 100, skus=frozenset({"CARD"}))

    assert totals(priced(("GIFT", 1), ("CARD", 1), coupons=[coupon])) == [5000, 900]


@pytest.mark.parametrize(
    ("coupon", "reason"),
    [
        (a_coupon("amount_off", 100, minimum_spend=2001), "minimum_spend"),
        (a_coupon("amount_off", 100, skus=frozenset({"GIFT"})), "other_products"),
        (a_coupon("amount_off", 100, rule={"currency": "USD"}), "other_currency"),
        (a_coupon("amount_off", 100, rule={"is_active": False}), "not_valid"),
        (a_coupon("amount_off", 100, rule={"scope": Scope(valid_from=NOW)}), ""),
        (a_coupon("amount_off", 100, rule={"scope": Scope(valid_to=NOW)}), "not_valid"),
        (a_coupon("amount_off", 100, rule={"scope": Scope(frozenset({UNTRUSTED}))}), "not_valid"),
        (a_coupon("amount_off", 100, minimum_spend=2000), ""),
        (a_coupon("fixed_price", 1000), "no_effect"),
    ],
)
def test_a_coupon_that_takes_nothing_off_says_why(coupon: Rule, reason: str):
    result = priced(("CARD", 2), coupons=[coupon])

    assert result.refused == ({coupon.id: reason} if reason else {})
    assert totals(result) == ([2000] if reason else [1900])


def test_the_minimum_is_of_eligible_lines_as_they_cost_before_any_coupon():
    first = a_coupon("amount_off", 900, is_exclusive=False, rule={"priority": 1})
    second = a_coupon(
        "amount_off", 50, is_exclusive=False, minimum_spend=1000, skus=frozenset({"CARD"})
    )

    assert totals(priced(("CARD", 1), coupons=[second, first])) == [50]


def test_coupons_that_can_be_combined_follow_each_other_by_priority():
    amount = a_coupon("amount_off", 500, is_exclusive=False, rule={"priority": 1})
    share = a_coupon("percent_off", 1000, is_exclusive=False)

    for coupons in ([amount, share], [share, amount]):
        assert totals(priced(("CARD", 1), coupons=coupons)) == [450]


def test_an_exclusive_coupon_does_not_count_beside_another():
    alone, other = a_coupon("amount_off", 500), a_coupon("amount_off", 10, is_exclusive=False)

    result = priced(("CARD", 1), coupons=[alone, other])

    assert result.refused == {alone.id: "not_combinable"}
    assert totals(result) == [990]


def test_a_coupon_whose_budget_does_not_last_is_used_up():
    coupon = a_coupon("amount_off", 500, budget=400)

    assert priced(("CARD", 1), coupons=[coupon], left={coupon.id: 499}).refused == {
        coupon.id: "used_up"
    }
    assert totals(priced(("CARD", 1), coupons=[coupon], left={coupon.id: 500})) == [500]


def test_a_coupon_takes_off_what_promotions_left():
    promotion = a_rule(PromotionTerms(Effect(EffectKind.PERCENT_OFF, 5000)))

    result = priced(("CARD", 1), coupons=[a_coupon("percent_off", 5000)], rules=[promotion])

    assert (result.lines[0].unit_price.amount_minor, totals(result)) == (500, [250])
