"""Money as suppliers write it: decimals, in text or as a number. Ours is minor units."""

from decimal import ROUND_UP, Decimal

from kit.money import Money, digits_of

_MINOR_MAX = 10**13


def to_money(value: object, currency: str) -> Money:
    """A part of a minor unit counts as a whole one: a cost is never stated too low. Raises
    ValueError for what is no sum of money.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("no sum of money")  # noqa: TRY004 - it came from outside
    try:
        exact = Decimal(str(value).strip())
        minor = (exact.scaleb(digits_of(currency))).to_integral_value(rounding=ROUND_UP)
    except ArithmeticError:
        raise ValueError("no sum of money") from None
    if not exact.is_finite() or not 0 <= minor <= _MINOR_MAX:
        raise ValueError("no sum of money")
    return Money(int(minor), currency)
