"""order: what is sold, where, and at which price."""

from typing import Any, NotRequired, TypedDict

from lockstock_client.wire.money import MoneyJson


class ProductJson(TypedDict):
    """`fulfillment` is what its kind needs; further members are in the OpenAPI document."""

    id: str
    sku: str
    name: str
    price: MoneyJson
    fulfillment: dict[str, Any]
    instructions: str
    active: bool


class ChannelJson(TypedDict):
    """`trusted`: its own word that money came is believed."""

    id: str
    name: str
    kind: str
    trusted: bool
    active: NotRequired[bool]


class QuotedLineJson(TypedDict):
    """`total` is all units less the coupons' shares; `steps` tell how it came about, in order."""

    line_no: int
    sku: str
    name: str
    quantity: int
    unit_price: MoneyJson
    total: MoneyJson
    steps: list[dict[str, Any]]


class UnavailableJson(TypedDict):
    """A line that cannot be bought now; `code` is what placing it would answer."""

    line_no: int
    sku: str
    code: str
    detail: str


class QuotedCouponJson(TypedDict):
    """Of the code at this place, from 0; `reason` is None when it counts."""

    position: int
    name: str | None
    discount: int
    reason: str | None


class QuoteJson(TypedDict):
    """Holds neither stock nor price: pass `total` as `expected_total` when placing the order."""

    lines: list[QuotedLineJson]
    unavailable: list[UnavailableJson]
    coupons: list[QuotedCouponJson]
    total: MoneyJson | None
    valid_until: str


class RuleJson(TypedDict):
    """A promotion, a price list or a coupon; what else it says is in the OpenAPI document."""

    id: str
    name: str
    version: int
    active: bool


class CodeBatchJson(TypedDict):
    """Single-use codes of a coupon that were made together."""

    id: str
    coupon_id: str
    quantity: int
    prefix: str
    created_at: str


class RecommendationJson(TypedDict):
    """On sale and in stock; `orders`: in how many recent ones it was bought with it."""

    product_id: str
    sku: str
    name: str
    price: MoneyJson
    orders: int


class RestockRequestJson(TypedDict):
    """`status`: waiting, due, sent, withdrawn, lapsed. The contact is masked unless the key has
    `contacts:read`, and gone with the notice.
    """

    id: str
    product_id: str
    sku: str
    customer_id: str
    email: str | None
    phone: str | None
    locale: str | None
    status: str
    requested_at: str
    due_at: str | None
    ended_at: str | None
