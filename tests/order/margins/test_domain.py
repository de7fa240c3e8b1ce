"""Floors worked out by hand: which rule counts, what a line brings, what its units cost."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.money import Money
from order.catalogue.domain import (
    BundleFulfillment,
    BundlePolicy,
    Component,
    Offer,
    Product,
    TopUpFulfillment,
)
from order.margins.domain import Shortfall, shortfalls, stated_costs, with_bundles
from order.merchants.domain import Channel, FeeBearer, FeeRule
from order.price_rules.domain import FloorTerms, Rule, Scope
from order.prices.domain import Wanted, price
from order.unit_prices.domain import Facts
from tests.order.factories import MERCHANT, SHOP, UNTRUSTED, a_product, a_rule

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def cny(amount: int) -> Money:
    return Money(amount, "CNY")


def a_channel(**fee: Any) -> Channel:
    return Channel(SHOP, MERCHANT, "Shop", "shop", True, True, NOW, fee=FeeRule(**fee))


def below(
    *lines: tuple[Product, int], floors: list[Rule] | None = None, **fee: Any
) -> list[Shortfall]:
    products = {product.sku: product for product, _ in lines}
    facts = Facts(products, SHOP, frozenset({"vip"}), NOW)
    priced = price(facts, [Wanted(product.sku, quantity, {}) for product, quantity in lines])
    costs = with_bundles(products, stated_costs(products))
    return shortfalls(priced.lines, costs, floors or [], facts, a_channel(**fee))


@pytest.mark.parametrize(("cost", "expected"), [(999, []), (1000, []), (1001, [(1000, 1001)])])
def test_a_stated_cost_is_a_floor_by_itself(cost: int, expected: list[tuple[int, int]]):
    found = below((a_product("CARD", 1000, cost=cny(cost)), 1))

    assert [(it.brings, it.floor) for it in found] == expected


def test_a_product_without_known_cost_has_no_floor():
    assert below((a_product("CARD", 0), 1), floors=[a_rule(FloorTerms(basis_points=500))]) == []


def test_a_cost_in_another_currency_says_nothing():
    assert below((a_product("CARD", 1, cost=Money(1000, "USD")), 1)) == []


@pytest.mark.parametrize(
    ("terms", "floor"),
    [
        (FloorTerms(basis_points=300), 2 * 1030),
        (FloorTerms(amount=50), 2 * 1050),
        (FloorTerms(basis_points=600, amount=50), 2 * 1060),
    ],
)
def test_a_floor_rule_asks_for_more_than_the_cost(terms: FloorTerms, floor: int):
    rule = a_rule(terms)

    [found] = below((a_product("CARD", 1000, cost=cny(1000)), 2), floors=[rule])

    assert (found.brings, found.floor, found.rule) == (2000, floor, rule)


def test_the_channels_fee_does_not_count_as_brought():
    card = a_product("CARD", 1000, cost=cny(950))

    assert below((card, 1), basis_points=500) == []
    # 5.01 % of 1000 is 50.1, rounded up to 51.
    assert [it.brings for it in below((card, 1), basis_points=501)] == [949]
    # 100 for the order, shared by totals over 1000 and 3000: 25 and 75.
    assert [it.brings for it in below((card, 1), (a_product("B", 3000), 1), fixed_minor=204)] == [
        949
    ]
    assert below((card, 1), basis_points=9000, bearer=FeeBearer.PLATFORM) == []


def test_an_order_that_costs_nothing_bears_no_fee():
    gift = a_product("GIFT", 0, cost=cny(0))

    assert below((gift, 1), fixed_minor=50) == []


def test_which_floor_counts_is_decided_as_with_prices():
    card = a_product("CARD", 1000, cost=cny(1000))
    general = a_rule(FloorTerms(basis_points=900))
    named = a_rule(FloorTerms(frozenset({"CARD"}), basis_points=100))
    here = a_rule(FloorTerms(basis_points=200), scope=Scope(frozenset({SHOP}), frozenset({"vip"})))
    first = a_rule(FloorTerms(basis_points=50), priority=1)
    elsewhere = a_rule(FloorTerms(basis_points=9000), scope=Scope(frozenset({UNTRUSTED})))

    def won(*floors: Rule) -> list[Rule | None]:
        return [
            below((card, 1), floors=given)[0].rule for given in (list(floors), [*reversed(floors)])
        ]

    assert won(general, elsewhere) == [general, general]
    assert won(general, named) == [named, named]
    assert won(named, here) == [here, here]
    assert won(here, first) == [first, first]
    stricter = a_rule(FloorTerms(basis_points=901))
    assert won(general, stricter) == [stricter, stricter]


def test_a_top_up_costs_the_most_that_any_supplier_may_ask_for():
    offers = tuple(Offer("sim", f"S{cost}", cny(cost)) for cost in (940, 960, 950))
    top_up = a_product("PHONE", 955, fulfillment=TopUpFulfillment("phone", offers))

    assert [it.floor for it in below((top_up, 1))] == [960]


def test_a_bundle_costs_what_its_components_cost():
    parts = (Component("CARD", 2), Component("GIFT", 1))
    bundle = a_product("PACK", 2500, fulfillment=BundleFulfillment(BundlePolicy.PARTIAL, parts))
    products = {
        "PACK": bundle,
        "CARD": a_product("CARD", 1000, cost=cny(800)),
        "GIFT": a_product("GIFT", 1000, cost=cny(901)),
    }

    assert with_bundles(products, stated_costs(products))["PACK"] == cny(2501)
    unknown = products | {"GIFT": a_product("GIFT", 1000)}
    assert "PACK" not in with_bundles(unknown, stated_costs(unknown))
