"""Money between suppliers' decimals and our minor units."""

from decimal import Decimal

import pytest

from fulfillment.decimals import to_money
from kit.money import Money


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("48.50", "CNY", 4_850),
        (40.0, "CNY", 4_000),
        (7, "CNY", 700),
        (Decimal("344283.1608"), "CNY", 34_428_317),
        ("0.001", "CNY", 1),
        ("1200", "JPY", 1_200),
        ("1.2345", "KWD", 1_235),
        (" 9.90 ", "USD", 990),
        ("0", "USD", 0),
    ],
)
def test_a_cost_is_never_stated_too_low(value: object, currency: str, minor: int) -> None:
    assert to_money(value, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "free",
        "NaN",
        "Infinity",
        "-1",
        "1e99",
        "9e999999",
        True,
        None,
        [],
        "9" * 30,
        float("nan"),
    ],
)
def test_what_is_no_sum_of_money_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no sum of money"):
        to_money(value, "CNY")
