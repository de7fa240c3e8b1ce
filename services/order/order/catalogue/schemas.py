from datetime import datetime
from typing import Annotated, Literal, Self, assert_never
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from kit.http import CodeText, Model, MoneyModel, Name, Text
from order.catalogue.domain import Fulfillment, PoolFulfillment, Product, UnsupportedKind

_POOL_EXAMPLE: JsonDict = {
    "sku": "GAME-100",
    "name": "Game card, 100 points",
    "fulfillment": {"kind": "pool", "pool_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"},
    "price": {"amount": 1990, "currency": "CNY"},
    "instructions": "Enter the code at the game's redeem page.",
}


class PoolFulfillmentModel(Model):
    """Units of one pool of the vault."""

    kind: Literal["pool"]
    pool_id: UUID


class ComingFulfillmentModel(Model):
    """Kinds that are named already and cannot be sold yet: 422 `unsupported_kind`."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["top_up", "bundle", "manual"]


FulfillmentModel = Annotated[
    PoolFulfillmentModel | ComingFulfillmentModel, Field(discriminator="kind")
]


def fulfillment_of(model: PoolFulfillmentModel | ComingFulfillmentModel) -> Fulfillment:
    """Raises UnsupportedKind."""
    match model:
        case PoolFulfillmentModel():
            return PoolFulfillment(model.pool_id)
        case ComingFulfillmentModel():
            where = [
                {"pointer": "/fulfillment/kind", "code": UnsupportedKind.code, "detail": model.kind}
            ]
            raise UnsupportedKind(kind=model.kind, errors=where)
        case _:
            assert_never(model)


class ProductCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [_POOL_EXAMPLE]})

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
    fulfillment: PoolFulfillmentModel
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
            fulfillment=PoolFulfillmentModel(kind="pool", pool_id=product.fulfillment.pool_id),
            price=MoneyModel.from_domain(product.price),
            instructions=product.instructions,
            active=product.is_active,
            created_at=product.created_at,
            updated_at=product.updated_at,
        )
