"""order: orders, what is asked for them, and their money."""

from typing import Any, NotRequired, TypedDict

from lockstock_client.wire.money import MoneyJson


class Buyer(TypedDict):
    """`id` is the shop's own. E-mail and phone are for delivery; times are RFC 3339."""

    id: str
    email: NotRequired[str]
    phone: NotRequired[str]
    ip: NotRequired[str]
    device_id: NotRequired[str]
    registered_at: NotRequired[str]
    locale: NotRequired[str]


class OrderedLine(TypedDict):
    """`inputs`: what the product's form asks the buyer for (the phone number to top up)."""

    sku: str
    quantity: int
    inputs: NotRequired[dict[str, str]]


class Paid(TypedDict):
    """A trusted channel's word that money came. `provider_reference` names the payment, once."""

    provider: str
    provider_reference: str
    amount: MoneyJson


class OrderFilter(TypedDict, total=False):
    """All that is given must be true of an order. From is included, to is not."""

    reference: str
    status: list[str]
    channel_id: str
    customer_id: str
    sku: str
    email: str
    phone: str
    placed_from: str
    placed_to: str
    paid_from: str
    paid_to: str


class DeliveredUnitJson(TypedDict):
    unit_id: str
    mask: str


class OrderDeliveryJson(TypedDict):
    id: str
    line_id: str
    status: str
    url: str | None
    units: list[DeliveredUnitJson]
    reason: str | None


class BundleJson(TypedDict):
    """The bundle a line was sold in; lines with the same `no` are one sale."""

    sku: str
    no: int
    policy: str


class OrderLineJson(TypedDict):
    """`status`: pending, unknown, delivered, failed, refunded."""

    id: str
    line_no: int
    sku: str
    name: str
    kind: NotRequired[str]
    quantity: int
    unit_price: MoneyJson
    total: MoneyJson
    status: str
    bundle: NotRequired[BundleJson | None]
    inputs: NotRequired[dict[str, str]]


class OrderJson(TypedDict):
    """`verdict`: what risk said last. `reason`: why it is held, cancelled or refunded."""

    id: str
    reference: str
    status: str
    merchant_id: str
    channel_id: str
    customer_id: str
    total: MoneyJson
    refunded: MoneyJson
    verdict: str | None
    reason: str | None
    placed_at: str
    pay_until: str
    paid_at: str | None
    lines: list[OrderLineJson]
    deliveries: list[OrderDeliveryJson]


class TimelineEntryJson(TypedDict):
    """`cause`: `key:<id>`, `event:<id>`, `timer`, `provider:<name>`."""

    at: str
    kind: str
    summary: str
    details: dict[str, Any]
    cause: str


class PaymentJson(TypedDict):
    id: str
    order_id: str
    provider: str
    provider_reference: str
    amount: MoneyJson


class RefundLine(TypedDict):
    """Of a line: an amount, the price of some of its units, or all that is left of it."""

    line_id: str
    amount: NotRequired[MoneyJson]
    quantity: NotRequired[int]


class OwedRefundJson(TypedDict):
    """`line_id` is None when a payment itself goes back."""

    id: str
    line_id: str | None
    payment_id: str
    amount: MoneyJson


class RefundRequestJson(TypedDict):
    """What a call asked to be refunded: owed from now on, under way at once."""

    request_id: str
    order_id: str
    order_status: str
    reason: str
    refunds: list[OwedRefundJson]


class RefundJson(TypedDict):
    """`status`: due, sent, unknown (asked again), manual (somebody must act), done."""

    id: str
    line_id: str | None
    payment_id: str
    amount: MoneyJson
    reason: str
    status: str
    created_at: str
    done_at: str | None


class ExportJson(TypedDict):
    """Who took which orders out; without `finished_at` it runs, or was cut off."""

    id: str
    requested_by: str
    filter: dict[str, Any]
    has_contacts: bool
    orders: int
    rows: int
    started_at: str
    finished_at: str | None
