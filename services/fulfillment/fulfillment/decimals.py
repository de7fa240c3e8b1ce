"""Money as suppliers write it: decimals, in text or as a number. Ours is minor units."""

from decimal import ROUND_UP, Decimal, InvalidOperation

from kit.money import Money

_WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_MINOR_MAX = 10**13


def digits_of(currency: str) -> int:
    """How many decimals a currency has."""
    if currency in _WITHOUT:
        return 0
    return 3 if currency in _THREE else 2


def to_money(value: object, currency: str) -> Money:
    """A part of a minor unit counts as a whole one: a cost is never stated too low. Raises
    ValueError for what is no sum of money.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("no sum of money")  # noqa: TRY004 - it came from outside
    try:
        exact = Decimal(str(value).strip())
        minor = (exact.scaleb(digits_of(currency))).to_integral_value(rounding=ROUND_UP)
    except InvalidOperation:
        raise ValueError("no sum of money") from None
    if not exact.is_finite() or not 0 <= minor <= _MINOR_MAX:
        raise ValueError("no sum of money")
    return Money(int(minor), currency)


def to_text(money: Money) -> str:
    """`48.50`, with the currency's decimals."""
    digits = digits_of(money.currency)
    return f"{Decimal(money.amount_minor).scaleb(-digits):.{digits}f}"
