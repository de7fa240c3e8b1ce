"""Money is an integer count of minor units with an ISO 4217 code. No floats, no silent rounding."""

from dataclasses import dataclass

from kit.errors import DomainError, ErrorKind


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

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} is not {other.currency}")
