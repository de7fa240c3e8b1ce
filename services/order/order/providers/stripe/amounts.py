"""In which units Stripe counts, where that is not the currency's minor unit of ISO 4217."""

from kit.money import Money

_CENT = 100
# Without a minor unit since long; the API takes and tells them with two decimals, always 00.
_WITH_CENTS = frozenset({"ISK", "UGX"})
# The API takes and tells whole ones; ISO 4217 has two decimals.
_WHOLE = frozenset({"MGA"})
# Of three decimals the last must be 0.
_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def to_stripe(amount: Money) -> int | None:
    """None when Stripe has no such amount."""
    if amount.currency in _WITH_CENTS:
        return amount.amount_minor * _CENT
    if amount.currency in _WHOLE:
        whole, rest = divmod(amount.amount_minor, _CENT)
        return None if rest else whole
    if amount.currency in _TENS and amount.amount_minor % 10:
        return None
    return amount.amount_minor


def from_stripe(amount: int, currency: str) -> Money | None:
    """Exactly, or not at all."""
    if currency in _WITH_CENTS:
        whole, rest = divmod(amount, _CENT)
        return None if rest else Money(whole, currency)
    return Money(amount * _CENT if currency in _WHOLE else amount, currency)
