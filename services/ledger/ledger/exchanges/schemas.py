from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from kit.http import Model, Reference, Timestamp
from kit.http.wire import AMOUNT_MINOR_MAX
from kit.money import Money
from ledger.accounts.schemas import AccountCode
from ledger.transactions.schemas import Description, PostedAmount

RATE_PART_MAX = 10**12


class SideGiven(Model):
    """An account in the amount's currency."""

    account: AccountCode
    amount: PostedAmount

    def to_domain(self) -> tuple[str, Money]:
        return self.account, Money(self.amount.amount, self.amount.currency)


class RateGiven(Model):
    """An exact ratio: minor units that come for minor units that are given. 7.12 yuan for a dollar
    is 712 to 100.
    """

    numerator: Annotated[int, Field(ge=1, le=RATE_PART_MAX, strict=True, examples=[712])]
    denominator: Annotated[int, Field(ge=1, le=RATE_PART_MAX, strict=True, examples=[100])]

    def to_domain(self) -> Fraction:
        return Fraction(self.numerator, self.denominator)


_EXAMPLE: dict[str, Any] = {
    "description": "Dollars of November into yuan",
    "from": {"account": "bank:ccb", "amount": {"amount": 10000, "currency": "CNY"}},
    "to": {"account": "bank:hsbc", "amount": {"amount": 1400, "currency": "USD"}},
    "book_rate": {"numerator": 100, "denominator": 712},
}


class ExchangePost(Model):
    """What is given and what comes, as it really was. With `book_rate` the position moves at that
    rate, and the difference is gained or lost.
    """

    model_config = ConfigDict(populate_by_name=False, json_schema_extra={"examples": [_EXAMPLE]})

    description: Description
    given: Annotated[SideGiven, Field(alias="from")]
    received: Annotated[SideGiven, Field(alias="to")]
    book_rate: RateGiven | None = None
    at: Annotated[Timestamp | None, Field(description="when it happened; now if left out")] = None
    reference: Annotated[
        Reference | None, Field(description="posted once per reference; 409 `already_posted`")
    ] = None

    @model_validator(mode="after")
    def _worth_is_an_amount(self) -> Self:
        rate = self.book_rate
        if rate and self.given.amount.amount * rate.to_domain() > AMOUNT_MINOR_MAX:
            raise ValueError("at book_rate it is worth more than an amount may be")
        return self
