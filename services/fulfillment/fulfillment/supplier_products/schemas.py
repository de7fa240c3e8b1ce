"""The wire of suppliers' offers."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.supplier_products.domain import SupplierProduct
from kit.http import CodeText, CurrencyCode, Model
from kit.ids import new_id

ArticleText = Annotated[
    str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00-\x20\x7f]+$")
]
Minor = Annotated[int, Field(ge=0, le=10**11)]
BasisPoints = Annotated[int, Field(ge=0, le=100_000)]
Priority = Annotated[int, Field(ge=-1_000, le=1_000)]
Quantity = Annotated[int, Field(ge=1, le=5_000)]

_SKU = "The product's sku here."
_POOL = "Where its codes go when it is bought for stock."
_COST_MAX = "What one may cost at most, fees included; minor units. Above it the offer is paused."
_FEE = "What comes on top of the supplier's price for each; minor units."
_FEE_SHARE = "The same as a share of the price; 100 is one per cent."
_DRIFT = (
    "By how much of it the price may move from one list to the next; 100 is one per cent. Beyond "
    "that the offer is paused until the price comes back or you accept it. Null: any move."
)
_PRIORITY = "Decides between offers that are worth the same; the higher, the sooner."
_MIN = "The fewest one purchase may have."
_MAX = "The most one purchase may have; null: no limit but 5,000."
_ACTIVE = "Whether it may be bought at all."

_OFFER: dict[str, Any] = {
    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a71",
    "supplier": "acme",
    "supplier_sku": "STEAM-50-CN",
    "sku": "STEAM-50",
    "pool_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10",
    "currency": "CNY",
    "cost_minor": 4550,
    "landed_minor": 4596,
    "stock": 310,
    "seen_at": "2026-11-27T09:00:00Z",
    "fee_minor": 0,
    "fee_basis_points": 100,
    "cost_max_minor": 4700,
    "cost_accepted_minor": 4550,
    "drift_max_basis_points": 1000,
    "priority": 0,
    "quantity_min": 1,
    "quantity_max": 500,
    "is_active": True,
    "paused_reason": "",
    "paused_at": None,
    "created_at": "2026-11-27T09:00:00Z",
}


class SupplierProductCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "supplier": "known",
                    "supplier_sku": "STEAM-50-CN",
                    "pool_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10",
                    "currency": "CNY",
                    "cost_max_minor": 4700,
                    "quantity_max": 500,
                }
            ]
        }
    )

    supplier: CodeText = Field(description="The name of your account with it.")
    supplier_sku: ArticleText = Field(description="What the supplier calls it.")
    sku: CodeText | None = Field(default=None, description=_SKU)
    pool_id: UUID | None = Field(default=None, description=_POOL)
    currency: CurrencyCode = Field(description="What it is bought in; never changed into another.")
    cost_max_minor: Minor = Field(description=_COST_MAX)
    fee_minor: Minor = Field(default=0, description=_FEE)
    fee_basis_points: BasisPoints = Field(default=0, description=_FEE_SHARE)
    drift_max_basis_points: BasisPoints | None = Field(default=None, description=_DRIFT)
    priority: Priority = Field(default=0, description=_PRIORITY)
    quantity_min: Quantity = Field(default=1, description=_MIN)
    quantity_max: Quantity | None = Field(default=None, description=_MAX)
    is_active: bool = Field(default=True, description=_ACTIVE)

    def to_domain(self, merchant_id: UUID) -> SupplierProduct:
        return SupplierProduct(id=new_id(), merchant_id=merchant_id, **self.model_dump())


class SupplierProductChange(Model):
    """What is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 1}]})

    sku: CodeText | None = Field(default=None, description=_SKU)
    pool_id: UUID | None = Field(default=None, description=_POOL)
    cost_max_minor: Minor = Field(default=0, description=_COST_MAX)
    fee_minor: Minor = Field(default=0, description=_FEE)
    fee_basis_points: BasisPoints = Field(default=0, description=_FEE_SHARE)
    drift_max_basis_points: BasisPoints | None = Field(default=None, description=_DRIFT)
    priority: Priority = Field(default=0, description=_PRIORITY)
    quantity_min: Quantity = Field(default=1, description=_MIN)
    quantity_max: Quantity | None = Field(default=None, description=_MAX)
    is_active: bool = Field(default=True, description=_ACTIVE)
    accept_cost: bool = Field(
        default=False, description="The price of now is all right, however far it moved."
    )

    def values(self) -> dict[str, Any]:
        """What was sent."""
        return self.model_dump(exclude_unset=True, exclude={"accept_cost"})


class SupplierProductRead(Model):
    """What can be bought of a supplier, as what, and whether it may be now."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OFFER]})

    id: UUID
    supplier: str
    supplier_sku: str
    sku: str | None
    pool_id: UUID | None
    currency: str
    cost_minor: int | None = Field(description="As its list said last; null: never seen.")
    landed_minor: int = Field(description="With fees; `cost_max_minor` while never seen.")
    stock: int | None = Field(description="Null: the supplier does not tell.")
    seen_at: datetime | None
    fee_minor: int
    fee_basis_points: int
    cost_max_minor: int
    cost_accepted_minor: int | None = Field(description="What the next price is held against.")
    drift_max_basis_points: int | None
    priority: int
    quantity_min: int
    quantity_max: int | None
    is_active: bool
    paused_reason: str = Field(
        description="Why it is not bought although it is active: `cost_above_ceiling`, "
        "`cost_drifted`, `not_listed`, `other_currency`. Empty: it may be."
    )
    paused_at: datetime | None
    created_at: datetime | None

    @classmethod
    def from_domain(cls, product: SupplierProduct) -> Self:
        return cls(**{name: getattr(product, name) for name in cls.model_fields})
