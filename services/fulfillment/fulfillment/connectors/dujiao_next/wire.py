"""The words of Dujiao-Next's site-to-site interface, and which of them are final."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Status(StrEnum):
    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"
    FULFILLING = "fulfilling"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELED = "canceled"


UNDER_WAY = frozenset(
    {Status.PENDING_PAYMENT, Status.PAID, Status.FULFILLING, Status.PARTIALLY_DELIVERED}
)
OVER = frozenset({Status.DELIVERED, Status.COMPLETED})
# Of a new order: after these nothing was bought.
REFUSALS = {
    "bad_request": "refused",
    "invalid_callback_url": "refused",
    "sku_unavailable": "sku_unknown",
    "product_unavailable": "sku_unknown",
    "product_not_found": "sku_unknown",
    "insufficient_balance": "balance_too_low",
    "insufficient_stock": "out_of_stock",
    "payment_failed": "balance_too_low",
    "missing_auth_headers": "not_authorized",
    "invalid_timestamp": "not_authorized",
    "timestamp_expired": "not_authorized",
    "invalid_signature": "not_authorized",
    "invalid_api_key": "not_authorized",
    "user_disabled": "not_authorized",
}
CANCELED = "canceled_by_supplier"


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text), StringConstraints(max_length=200)]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Fulfilment(_Read):
    payload: Annotated[str, Field(max_length=60_000, repr=False)] = ""


class OrderAnswer(_Read):
    """Of a purchase and of a question alike; `ok` false with `error_code` is a refusal."""

    ok: bool
    error_code: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,60}$")] | None = None
    order_id: Annotated[int, Field(ge=1)] | None = None
    order_no: Text = ""
    status: str | None = None
    amount: str | None = None
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    downstream_order_no: str | None = None
    fulfillment: Fulfilment | None = None


class Sku(_Read):
    id: int
    sku_code: str = ""
    price_amount: str
    stock_quantity: int = -1
    is_active: bool = True


class Product(_Read):
    id: int
    title: dict[str, str] = {}
    is_active: bool = True
    skus: list[Sku] = []

    @property
    def name(self) -> str:
        return next((text for text in self.title.values() if text), str(self.id))[:200]


class ProductAnswer(_Read):
    ok: bool
    product: Product | None = None
    error_code: str | None = None


class ProductsAnswer(_Read):
    ok: bool
    items: Annotated[list[Product], Field(max_length=100)]
    total: int
    page: int
    page_size: int


class PingAnswer(_Read):
    ok: bool
    balance: str
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Callback(_Read):
    downstream_order_no: str
    order_no: Text = ""
    status: str
