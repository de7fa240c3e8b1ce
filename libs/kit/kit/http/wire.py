"""What the wire's values may be: every text has a length and no control characters, every number a
bound.
"""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from kit.money import Money
from kit.public_keys import decode_public_key

AMOUNT_MINOR_MAX = 10**13
"""Far above any order, far below 2**53, so JavaScript clients read it exactly."""

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
_NO_NUL = r"^[^\x00]*$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PLAIN)]
"""One line for people: a name, a title."""
Text = Annotated[str, StringConstraints(max_length=4_000, pattern=_NO_NUL)]
"""Several lines for people: a note, instructions."""
Reference = Annotated[
    str, StringConstraints(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9._:\-/#]+$")
]
"""An id of the caller's own making: an order number, a payment number."""
CodeText = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._\-]+$")
]
"""A short identifier such as a SKU."""
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217, e.g. CNY."""


def _check_public_key(value: str) -> str:
    decode_public_key(value)
    return value


PublicKeyText = Annotated[
    str,
    StringConstraints(min_length=44, max_length=44),
    AfterValidator(_check_public_key),
]
"""An X25519 public key: 32 bytes, standard base64 (44 characters)."""


def _check_era(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2200:
        raise ValueError("the year must lie between 2000 and 2200")
    return value


Timestamp = Annotated[AwareDatetime, AfterValidator(_check_era)]
"""RFC 3339 with a zone."""


class Model(BaseModel):
    """Base of everything on the wire: unknown fields are refused, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MoneyModel(Model):
    """Money in the currency's minor unit: 19.90 yuan is 1990 CNY."""

    amount: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX, strict=True, examples=[1990])]
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]

    def to_domain(self) -> Money:
        return Money(self.amount, self.currency)

    @classmethod
    def from_domain(cls, money: Money) -> "MoneyModel":
        # A balance read back may be negative; the bound is for what callers send.
        return cls.model_construct(amount=money.amount_minor, currency=money.currency)
