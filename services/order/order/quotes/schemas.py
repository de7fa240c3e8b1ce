from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from kit.http import Model, MoneyModel
from order.contacts import ContactHasher
from order.margins.domain import Shortfall
from order.orders.domain import Customer
from order.placing.domain import Request
from order.placing.schemas import LINES_MAX, CouponCodes, CustomerCreate, OrderLineCreate
from order.prices.domain import CouponAnswer, PricedLine
from order.quotes.domain import Quote, Unavailable

_EXAMPLE: JsonDict = {
    "channel_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a22",
    "customer": {"id": "buyer-7", "groups": ["reseller"]},
    "lines": [{"sku": "GAME-100", "quantity": 10}],
    "coupon_codes": ["SPRING10"],
}
NOBODY = Customer("")


class QuoteCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    channel_id: UUID
    lines: Annotated[list[OrderLineCreate], Field(min_length=1, max_length=LINES_MAX)]
    customer: CustomerCreate | None = Field(
        default=None, description="for prices of groups and limits of a buyer"
    )
    coupon_codes: CouponCodes = Field(default_factory=list)

    def to_domain(self, merchant_id: UUID, contacts: ContactHasher, cause: str) -> Request:
        customer = self.customer
        return Request(
            merchant_id=merchant_id,
            channel_id=self.channel_id,
            reference="",
            customer=customer.to_domain(contacts) if customer else NOBODY,
            lines=tuple(line.to_domain() for line in self.lines),
            recipient_public_key=None,
            paid=None,
            cause=cause,
            groups=frozenset(customer.groups) if customer else frozenset(),
            coupon_codes=tuple(self.coupon_codes),
        )


class QuotedLineRead(Model):
    """`total` is all units less the coupons' shares; `steps` tell how it came about, in order."""

    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: MoneyModel
    total: MoneyModel
    steps: list[Mapping[str, Any]]  # each rule has its own figures

    @classmethod
    def from_domain(cls, line: PricedLine) -> Self:
        return cls(
            line_no=line.line_no,
            sku=line.product.sku,
            name=line.product.name,
            quantity=line.quantity,
            unit_price=MoneyModel.from_domain(line.unit_price),
            total=MoneyModel.from_domain(line.total),
            steps=[step.document for step in line.steps],
        )


class UnavailableRead(Model):
    """A line that cannot be bought now; `code` is what placing it would answer."""

    line_no: int
    sku: str
    code: str
    detail: str

    @classmethod
    def from_domain(cls, line: Unavailable) -> Self:
        return cls(line_no=line.line_no, sku=line.sku, code=line.code, detail=line.detail)


class CouponAnswerRead(Model):
    """Of the code at this place, from 0. `reason` is null when it counts: not_valid (there is no
    such code, it is over, or not for this channel or group), not_combinable, other_products,
    other_currency, minimum_spend, no_effect, used_up.
    """

    position: int
    name: str | None
    discount: int = Field(description="minor units")
    reason: str | None

    @classmethod
    def from_domain(cls, answer: CouponAnswer) -> Self:
        return cls(
            position=answer.position,
            name=answer.name or None,
            discount=answer.discount,
            reason=answer.reason or None,
        )


class ShortfallRead(Model):
    """A line that would bring less than its floor, after the channel's fee, in minor units: an
    order of it is refused with `below_margin_floor`.
    """

    line_no: int
    sku: str
    brings: int
    floor: int
    currency: str

    @classmethod
    def from_domain(cls, line: Shortfall) -> Self:
        return cls(
            line_no=line.line_no,
            sku=line.sku,
            brings=line.brings,
            floor=line.floor,
            currency=line.currency,
        )


class QuoteRead(Model):
    """It holds neither stock nor price: pass `total` as `expected_total` when placing the order."""

    lines: list[QuotedLineRead]
    unavailable: list[UnavailableRead]
    coupons: list[CouponAnswerRead]
    below_floor: list[ShortfallRead]
    total: MoneyModel | None = Field(description="null when nothing can be bought")
    valid_until: datetime = Field(
        description="until a rule begins or ends; rules may be edited before"
    )

    @classmethod
    def from_domain(cls, quote: Quote) -> Self:
        return cls(
            lines=[QuotedLineRead.from_domain(line) for line in quote.lines],
            unavailable=[UnavailableRead.from_domain(line) for line in quote.unavailable],
            coupons=[CouponAnswerRead.from_domain(answer) for answer in quote.coupons],
            below_floor=[ShortfallRead.from_domain(line) for line in quote.below_floor],
            total=MoneyModel.from_domain(quote.total) if quote.total else None,
            valid_until=quote.valid_until,
        )
