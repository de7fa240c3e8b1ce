from typing import Self
from uuid import UUID

from pydantic import Field

from kit.http import Model, MoneyModel
from order.recommendations.domain import Recommendation


class RecommendationRead(Model):
    """A product that is on sale and in stock."""

    product_id: UUID
    sku: str
    name: str
    price: MoneyModel
    orders: int = Field(description="in how many recent orders it was bought with it")

    @classmethod
    def from_domain(cls, found: Recommendation) -> Self:
        return cls(
            product_id=found.product_id,
            sku=found.sku,
            name=found.name,
            price=MoneyModel.from_domain(found.price),
            orders=found.orders,
        )
