"""Money is an integer count of minor units with an ISO 4217 code. No floats, no silent rounding."""

from collections.abc import Sequence
from dataclasses import dataclass

from kit.errors import DomainError, ErrorKind

# ISO 4217: currencies without a minor unit, and those with three digits; all others have two.
_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


class CurrencyMismatch(DomainError):
    """Two amounts of different currencies cannot be added."""

    code = "currency_mismatch"
    kind = ErrorKind.INVALID


@dataclass(frozen=True, slots=True)
class Money:
    amount_minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount_minor - other.amount_minor, self.currency)

    def __mul__(self, factor: int) -> "Money":
        return Money(self.amount_minor * factor, self.currency)

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} (minor units)"

    @property
    def decimal(self) -> str:
        """`19.90`, by the digits of its currency."""
        digits = digits_of(self.currency)
        sign, (whole, rest) = (
            "-" * (self.amount_minor < 0),
            divmod(abs(self.amount_minor), 10**digits),
        )
        return f"{sign}{whole}.{rest:0{digits}}" if digits else f"{sign}{whole}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} is not {other.currency}")


def digits_of(currency: str) -> int:
    """How many decimals a currency has (ISO 4217)."""
    return _DIGITS.get(currency, 2)


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts by weight, summing up exactly (the method of largest remainders).

    Each part is the exact share rounded down or up; what rounding down leaves goes to the largest
    remainders, of equal ones to the earlier. All weights zero: equal parts.
    """
    assert total >= 0, "what is shared out is not negative"
    assert weights, "somebody takes a share"
    assert min(weights) >= 0, "no weight is negative"
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: -(total * weights[at] % whole))
    for at in by_remainder[: total - sum(parts)]:
        parts[at] += 1
    return parts
