"""Money between suppliers' decimals and our minor units."""

from decimal import Decimal

import pytest

from fulfillment.decimals import to_money, to_text
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
    "value", ["", "free", "NaN", "Infinity", "-1", "1e99", True, None, [], "9" * 30, float("nan")]
)
def test_what_is_no_sum_of_money_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no sum of money"):
        to_money(value, "CNY")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(4_850, "CNY"), "48.50"),
        (Money(5, "CNY"), "0.05"),
        (Money(1_200, "JPY"), "1200"),
        (Money(1_235, "KWD"), "1.235"),
    ],
)
def test_a_limit_is_written_with_the_currencys_decimals(money: Money, text: str) -> None:
    assert to_text(money) == text
