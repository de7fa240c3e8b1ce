"""A bundle's price is shared out among its components exactly."""

import random
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kit.ids import new_id
from kit.money import Money, share_out
from order.catalogue.domain import (
    BundleFulfillment,
    BundlePolicy,
    Component,
    Fulfillment,
    ManualFulfillment,
    Product,
)
from order.lines.domain import Line
from order.placing.domain import lines_of
from order.prices.domain import Wanted, price
from order.unit_prices.domain import Facts
from tests.order.factories import MERCHANT

Parts = list[tuple[str, int, int]]
"""SKU, base price, quantity."""
PARTS: st.SearchStrategy[Parts] = st.lists(
    st.tuples(st.text("ABC-", min_size=1), st.integers(0, 10**9), st.integers(1, 100)),
    min_size=1,
    max_size=20,
    unique_by=lambda part: part[0],
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(parts=PARTS, amount=st.integers(0, 10**9), quantity=st.integers(1, 100), seed=st.integers())
def test_the_shares_of_a_bundle_sum_up_and_do_not_depend_on_the_order_of_its_components(
    parts: Parts, amount: int, quantity: int, seed: int
) -> None:
    lines = shared(parts, amount, quantity)
    shuffled = random.Random(seed).sample(parts, len(parts))

    assert sum(line.total.amount_minor for line in lines) == amount * quantity
    assert min(line.total.amount_minor for line in lines) >= 0
    assert totals(shared(shuffled, amount, quantity)) == totals(lines)


@given(total=st.integers(0, 10**13), weights=st.lists(st.integers(0, 10**12), min_size=1))
def test_no_share_is_off_by_as_much_as_one(total: int, weights: list[int]) -> None:
    parts = share_out(total, weights)

    whole = sum(weights) or len(weights)
    even = not any(weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * whole - total * (1 if even else weight)) < whole


def test_equal_remainders_go_to_the_sku_that_sorts_first() -> None:
    parts = [("B", 100, 1), ("C", 100, 1), ("A", 100, 1)]

    assert totals(shared(parts, 100, 1)) == {"A": 34, "B": 33, "C": 33}
    assert totals(shared([(sku, 0, 1) for sku, _, _ in parts], 2, 1)) == {"A": 1, "B": 1, "C": 0}


def totals(lines: tuple[Line, ...]) -> dict[str, int]:
    return {line.sku: line.total.amount_minor for line in lines}


def shared(parts: Parts, amount: int, quantity: int) -> tuple[Line, ...]:
    components = tuple(Component(sku, count) for sku, _, count in parts)
    products = {sku: a_product(sku, base) for sku, base, _ in parts}
    products["bundle"] = a_product(
        "bundle", amount, BundleFulfillment(BundlePolicy.PARTIAL, components)
    )
    return lines_of(price(Facts(products), [Wanted("bundle", quantity, {})]).lines, products)


def a_product(sku: str, amount: int, fulfillment: Fulfillment | None = None) -> Product:
    return Product(
        id=new_id(),
        merchant_id=MERCHANT,
        sku=sku,
        name=sku,
        fulfillment=fulfillment or ManualFulfillment("desk", None),
        price=Money(amount, "CNY"),
        created_at=NOW,
        updated_at=NOW,
    )
