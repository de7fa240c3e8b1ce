"""May it be sold: the window, the channel, the country, how many, with which inputs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import DomainError
from kit.ids import new_id
from kit.money import Money
from order.catalogue.domain import (
    BundleFulfillment,
    BundlePolicy,
    Component,
    ManualFulfillment,
    Product,
    SaleRules,
)
from order.forms.domain import BadInputs, InputField, InputType
from order.prices.domain import Wanted
from order.sales.domain import (
    NotInChannel,
    NotOnSale,
    QuantityOutOfBounds,
    RegionRefused,
    RegionRequired,
    Sale,
    check,
)
from tests.order.factories import MERCHANT, SHOP, UNTRUSTED

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PACK = BundleFulfillment(BundlePolicy.PARTIAL, (Component("A", 2), Component("B", 1)))


def a_product(sku: str, rules: SaleRules | None = None, **given: Any) -> Product:
    return Product(
        **{
            "id": new_id(),
            "merchant_id": MERCHANT,
            "sku": sku,
            "name": sku,
            "fulfillment": ManualFulfillment("desk", None),
            "price": Money(100, "CNY"),
            "rules": rules or SaleRules(),
            "created_at": NOW,
            "updated_at": NOW,
            **given,
        }
    )


def a_sale(**given: Any) -> Sale:
    return Sale(**{"channel_id": SHOP, "region": None, "now": NOW, **given})


def outcome(sale: Sale, products: list[Product], *wanted: tuple[str, int]) -> type | None:
    """The error's class; None when it may be sold."""
    lines = [Wanted(sku, quantity, {}) for sku, quantity in wanted]
    try:
        check(sale, {product.sku: product for product in products}, lines)
    except DomainError as error:
        return type(error)
    return None


CASES: list[tuple[SaleRules, dict[str, Any], type | None]] = [
    (SaleRules(sale_from=NOW), {}, None),
    (SaleRules(sale_from=NOW + SECOND), {}, NotOnSale),
    (SaleRules(sale_until=NOW + SECOND), {}, None),
    (SaleRules(sale_until=NOW), {}, NotOnSale),
    (SaleRules(channels=frozenset({SHOP})), {}, None),
    (SaleRules(channels=frozenset({UNTRUSTED})), {}, NotInChannel),
    (SaleRules(countries_allowed=frozenset({"CN"})), {}, RegionRequired),
    (SaleRules(countries_allowed=frozenset({"CN"})), {"region": "CN"}, None),
    (SaleRules(countries_allowed=frozenset({"CN"})), {"region": "US"}, RegionRefused),
    (SaleRules(countries_refused=frozenset({"US"})), {"region": "CN"}, None),
    (SaleRules(countries_refused=frozenset({"US"})), {"region": "US"}, RegionRefused),
    (SaleRules(countries_refused=frozenset({"US"})), {}, RegionRequired),
]


@pytest.mark.parametrize(("rules", "sale", "expected"), CASES)
def test_a_rule_allows_or_names_itself(
    rules: SaleRules, sale: dict[str, Any], expected: type | None
) -> None:
    assert outcome(a_sale(**sale), [a_product("A", rules)], ("A", 1)) is expected


@pytest.mark.parametrize(("rules", "sale", "expected"), CASES)
def test_a_bundle_must_meet_the_rules_of_what_is_in_it(
    rules: SaleRules, sale: dict[str, Any], expected: type | None
) -> None:
    products = [a_product("A", rules), a_product("B"), a_product("PACK", fulfillment=PACK)]

    assert outcome(a_sale(**sale), products, ("PACK", 1)) is expected


def test_quantities_count_over_all_lines_of_an_order() -> None:
    bounded = [a_product("A", SaleRules(quantity_min=2, quantity_max=5)), a_product("B")]

    assert outcome(a_sale(), bounded, ("A", 1), ("B", 9)) is QuantityOutOfBounds
    assert outcome(a_sale(), bounded, ("A", 1), ("A", 1)) is None
    assert outcome(a_sale(), bounded, ("A", 5)) is None
    assert outcome(a_sale(), bounded, ("A", 3), ("B", 1), ("A", 3)) is QuantityOutOfBounds


def test_a_bundle_counts_towards_the_maximum_but_needs_no_minimum() -> None:
    products = [
        a_product("A", SaleRules(quantity_min=3, quantity_max=5)),
        a_product("B"),
        a_product("PACK", fulfillment=PACK),
    ]

    assert outcome(a_sale(), products, ("PACK", 1)) is None
    assert outcome(a_sale(), products, ("PACK", 2), ("A", 1)) is None
    assert outcome(a_sale(), products, ("PACK", 3)) is QuantityOutOfBounds


PHONE = InputField("phone", InputType.PHONE)
NOTE = InputField("note", InputType.TEXT, is_required=False)


def test_inputs_of_every_line_are_checked_and_each_is_named() -> None:
    products = {"A": a_product("A", form=(PHONE, NOTE)), "B": a_product("B")}
    lines = [
        Wanted("A", 1, {"phone": "+86 13800138000"}),
        Wanted("A", 1, {"phone": "x", "hat": "red"}),
        Wanted("B", 1, {"phone": "13800138000"}),
        Wanted("A", 1, {}),
    ]

    with pytest.raises(BadInputs) as refused:
        check(a_sale(), products, lines)

    told = [(error["pointer"], error["code"]) for error in refused.value.fields["errors"]]
    assert told == [
        ("/lines/1/inputs/hat", "unknown_input"),
        ("/lines/1/inputs/phone", "not_a_phone"),
        ("/lines/2/inputs/phone", "unknown_input"),
        ("/lines/3/inputs/phone", "required"),
    ]
    assert check(a_sale(), products, lines[:1])[0].inputs == {"phone": "+8613800138000"}


def test_a_bundle_asks_for_what_its_components_ask_for() -> None:
    products = {
        "A": a_product("A", form=(PHONE,)),
        "B": a_product("B", form=(NOTE,)),
        "PACK": a_product("PACK", fulfillment=PACK),
    }
    inputs = {"phone": "13800138000", "note": "hi"}

    assert check(a_sale(), products, [Wanted("PACK", 1, inputs)])[0].inputs == inputs
    with pytest.raises(BadInputs):
        check(a_sale(), products, [Wanted("PACK", 1, {"note": "hi"})])
