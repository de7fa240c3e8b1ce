from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.config import JsonDict

from kit.http import CodeText, Model, MoneyModel, Name, Reference, Text
from order.catalogue.domain import (
    BundlePolicy,
    Fulfillment,
    Product,
    fulfillment_of,
    terms_of,
)

OFFERS_MAX = 20
COMPONENTS_MAX = 20
COMPONENT_QUANTITY_MAX = 100
SUBSTITUTES_MAX = 10
BACK_ORDER_SECONDS_MAX = 30 * 86_400

_POOL_EXAMPLE: JsonDict = {
    "sku": "GAME-100",
    "name": "Game card, 100 points",
    "fulfillment": {"kind": "pool", "pool_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"},
    "price": {"amount": 1990, "currency": "CNY"},
    "instructions": "Enter the code at the game's redeem page.",
}

_TOP_UP_EXAMPLE: JsonDict = {
    "sku": "PHONE-50",
    "name": "Phone credit, 50 yuan",
    "fulfillment": {
        "kind": "top_up",
        "account_input": "phone",
        "offers": [
            {
                "supplier": "simulator",
                "supplier_sku": "CM-50",
                "cost_max": {"amount": 4950, "currency": "CNY"},
            }
        ],
    },
    "price": {"amount": 4990, "currency": "CNY"},
}
_BUNDLE_EXAMPLE: JsonDict = {
    "sku": "STARTER-PACK",
    "name": "Starter pack",
    "fulfillment": {
        "kind": "bundle",
        "policy": "all_or_nothing",
        "components": [{"sku": "GAME-100", "quantity": 1}, {"sku": "PHONE-50", "quantity": 1}],
    },
    "price": {"amount": 5990, "currency": "CNY"},
}


class ShortageModel(Model):
    """What is tried, in this order, when a paid line cannot be delivered for want of stock: the
    substitutes (at the line's price), then waiting for stock; at last the line is refunded.
    """

    substitutes: Annotated[list[CodeText], Field(max_length=SUBSTITUTES_MAX)] = Field(
        default=[], description="SKUs of products from a pool"
    )
    back_order_seconds: Annotated[int, Field(ge=0, le=BACK_ORDER_SECONDS_MAX, strict=True)] = 0


class PoolFulfillmentModel(Model):
    """Units of one pool of the vault."""

    kind: Literal["pool"]
    pool_id: UUID
    shortage: ShortageModel | None = None


class OfferModel(Model):
    """A supplier, tried in the order given; never bought dearer than `cost_max` for one."""

    supplier: CodeText
    supplier_sku: Reference
    cost_max: MoneyModel


class TopUpFulfillmentModel(Model):
    """An account of the buyer's is topped up by a supplier."""

    kind: Literal["top_up"]
    account_input: CodeText = Field(description="the input that names the account")
    offers: Annotated[list[OfferModel], Field(min_length=1, max_length=OFFERS_MAX)]


class ManualFulfillmentModel(Model):
    """Done by a person, or by the merchant's own system when `fulfiller` names one."""

    kind: Literal["manual"]
    queue: CodeText
    fulfiller: CodeText | None = None


class ComponentModel(Model):
    sku: CodeText
    quantity: Annotated[int, Field(ge=1, le=COMPONENT_QUANTITY_MAX, strict=True)] = 1


class BundleFulfillmentModel(Model):
    """Other products for one price. An order has a line for each of them, with its share of the
    price: by base price, rounded by largest remainder. `all_or_nothing`: if one of them cannot be
    delivered, none is.
    """

    kind: Literal["bundle"]
    policy: BundlePolicy
    components: Annotated[list[ComponentModel], Field(min_length=1, max_length=COMPONENTS_MAX)]


FulfillmentModel = Annotated[
    PoolFulfillmentModel | TopUpFulfillmentModel | ManualFulfillmentModel | BundleFulfillmentModel,
    Field(discriminator="kind"),
]


_READ_FULFILLMENT: TypeAdapter[Any] = TypeAdapter(FulfillmentModel)


def to_fulfillment(model: FulfillmentModel) -> Fulfillment:
    return fulfillment_of(model.kind, model.model_dump(mode="json"))


class ProductCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [_POOL_EXAMPLE, _TOP_UP_EXAMPLE, _BUNDLE_EXAMPLE]}
    )

    sku: CodeText
    name: Name
    fulfillment: FulfillmentModel
    price: MoneyModel
    instructions: Text = Field(default="", description="told to the buyer with the goods")


class ProductEdit(Model):
    """What is absent stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"price": {"amount": 1890, "currency": "CNY"}}]}
    )

    name: Name | None = None
    price: MoneyModel | None = None
    instructions: Text | None = None
    active: bool | None = None


class ProductRead(Model):
    id: UUID
    merchant_id: UUID
    sku: str
    name: str
    fulfillment: FulfillmentModel
    price: MoneyModel
    instructions: str
    active: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_domain(cls, product: Product) -> Self:
        return cls(
            id=product.id,
            merchant_id=product.merchant_id,
            sku=product.sku,
            name=product.name,
            fulfillment=_READ_FULFILLMENT.validate_python(terms_of(product.fulfillment)),
            price=MoneyModel.from_domain(product.price),
            instructions=product.instructions,
            active=product.is_active,
            created_at=product.created_at,
            updated_at=product.updated_at,
        )
