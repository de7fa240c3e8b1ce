"""Reloadly's words, of airtime and of gift cards."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from fulfillment.connector import Code


class Status(StrEnum):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text), StringConstraints(max_length=200)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore")


class TokenAnswer(_Read):
    access_token: Annotated[str, StringConstraints(min_length=1, max_length=8_000)] = Field(
        repr=False
    )
    expires_in: Annotated[float, Field(ge=0, le=10**9)]


class Refusal(_Read):
    errorCode: str | None = None  # noqa: N815 - the wire's name


class PinDetail(_Read):
    serial: Text | None = Field(default=None, repr=False)
    code: Text | None = Field(default=None, repr=False)

    def codes(self) -> tuple[Code, ...]:
        if self.code and self.serial:
            return (Code({"number": self.serial, "password": self.code}),)
        return (Code({"code": self.code}),) if self.code else ()


class Transaction(_Read):
    """A top-up states what was requested less its discount; a gift card order its `amount`."""

    transaction_id: Annotated[int, Field(alias="transactionId", ge=1)]
    status: str
    custom_identifier: str | None = Field(default=None, alias="customIdentifier")
    operator_transaction_id: Text | None = Field(default=None, alias="operatorTransactionId")
    requested: Decimal | None = Field(default=None, alias="requestedAmount")
    requested_currency: Currency | None = Field(default=None, alias="requestedAmountCurrencyCode")
    discount: Decimal | None = None
    discount_currency: Currency | None = Field(default=None, alias="discountCurrencyCode")
    amount: Decimal | None = None
    currency: Currency | None = Field(default=None, alias="currencyCode")
    pin: PinDetail | None = Field(default=None, alias="pinDetail")

    def cost(self) -> tuple[Decimal, str] | None:
        """In the account's currency; None when it is not told."""
        if self.amount is not None and self.currency:
            return self.amount, self.currency
        if self.requested is None or not self.requested_currency:
            return None
        is_same = self.discount_currency in (None, self.requested_currency)
        discount = self.discount or Decimal() if is_same else Decimal()
        return max(self.requested - discount, Decimal()), self.requested_currency


class Card(_Read):
    number: Text | None = Field(default=None, alias="cardNumber", repr=False)
    pin: Text | None = Field(default=None, alias="pinCode", repr=False)

    def code(self) -> Code | None:
        if self.number and self.pin:
            return Code({"number": self.number, "password": self.pin})
        only = self.number or self.pin
        return Code({"code": only}) if only else None


class Fx(_Read):
    rate: Decimal
    currency: Currency = Field(alias="currencyCode")


class Operator(_Read):
    operator_id: int = Field(alias="operatorId")
    name: str = ""
    sender_currency: Currency = Field(alias="senderCurrencyCode")
    fx: Fx | None = None
    fixed: list[Decimal] | None = Field(default=None, alias="fixedAmounts")
    country: dict[str, Any] = {}


class GiftCard(_Read):
    product_id: int = Field(alias="productId")
    name: str = Field(default="", alias="productName")
    fee: Decimal = Field(default=Decimal(), alias="senderFee")
    sender_currency: Currency = Field(alias="senderCurrencyCode")
    prices: dict[str, Decimal] | None = Field(
        default=None, alias="fixedRecipientToSenderDenominationsMap"
    )
    min_recipient: Decimal | None = Field(default=None, alias="minRecipientDenomination")
    min_sender: Decimal | None = Field(default=None, alias="minSenderDenomination")

    def price_of(self, unit: Decimal) -> Decimal | None:
        """What one of this worth costs in the account's currency, with the fee."""
        for worth, price in (self.prices or {}).items():
            if Decimal(worth) == unit:
                return price + self.fee
        if self.prices or not self.min_recipient or not self.min_sender:
            return None
        return unit * self.min_sender / self.min_recipient + self.fee


class Balance(_Read):
    balance: Decimal
    currency: Currency = Field(alias="currencyCode")


class Webhook(_Read):
    class Data(_Read):
        transaction_id: Text = Field(default="", alias="transactionId")
        custom_identifier: str = Field(alias="customIdentifier")
        status: str

    type: str
    data: Data
