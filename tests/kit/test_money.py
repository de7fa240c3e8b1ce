"""Amounts of money as people read them."""

import pytest

from kit.money import Money


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(4_850, "CNY"), "48.50"),
        (Money(5, "CNY"), "0.05"),
        (Money(1_200, "JPY"), "1200"),
        (Money(1_235, "KWD"), "1.235"),
        (Money(-5, "CNY"), "-0.05"),
    ],
)
def test_an_amount_is_written_with_its_currencys_decimals(money: Money, text: str) -> None:
    assert money.decimal == text
