"""The wire of arrivals."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.arrivals.domain import Standing
from kit.http import Model
from kit.http.wire import MoneyModel

State = Literal["sealed", "stored", "refused", "resealing", "lost"]

_ARRIVAL: dict[str, Any] = {
    "id": "0193a3f0-5b1e-5c44-9d57-0f4d3c1b2a42",
    "purchase_id": "0193a3f0-5b1e-5c44-9d57-0f4d3c1b2a41",
    "order_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a11",
    "procurement_id": None,
    "pool_id": None,
    "supplier": "acme",
    "supplier_sku": "CM-50",
    "kind": "code",
    "quantity": 1,
    "wanted": 1,
    "cost": {"amount": 4850, "currency": "CNY"},
    "is_late": False,
    "state": "sealed",
    "accepted": 0,
    "rejected": 0,
    "duplicates": 0,
    "refused_as": "",
    "placed_by": None,
    "created_at": "2026-11-27T09:00:00Z",
    "ended_at": None,
}


class ArrivalPlace(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"pool_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"}]}
    )

    pool_id: UUID = Field(description="The pool these codes belong in; one of their kind.")


class ArrivalRead(Model):
    """Bought codes on their way into the vault, as the lot they become. Never a code."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ARRIVAL]})

    id: UUID = Field(description="The lot in the vault.")
    purchase_id: UUID
    order_id: UUID | None = Field(description="Set where codes came for a line of an order.")
    procurement_id: UUID | None
    pool_id: UUID | None = Field(description="Null: nobody has said where they belong; name it.")
    supplier: str
    supplier_sku: str
    kind: str = Field(description="`card`, `code`, `link`; empty where they are of several kinds.")
    quantity: int = Field(description="How many came.")
    wanted: int = Field(description="How many should have come.")
    cost: MoneyModel = Field(
        description="What the purchase cost. Where the order's line was delivered by it, it is "
        "booked there, and the lot comes into stock at no cost."
    )
    is_late: bool = Field(description="Came after everybody had given them up.")
    state: State = Field(
        description="`sealed`: kept here until the vault has them. `resealing`: the supplier is "
        "asked for them again. `lost`: it cannot say them again; a person must ask."
    )
    accepted: int
    rejected: int
    duplicates: int
    refused_as: str = Field(description="Why the vault refused the whole lot, if it did.")
    placed_by: str | None = Field(description="Who named the pool, if the purchase did not.")
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, arrival: Standing) -> Self:
        origin = arrival.origin
        return cls(
            id=arrival.id,
            purchase_id=origin.purchase_id,
            order_id=origin.order_id,
            procurement_id=origin.procurement_id,
            pool_id=origin.pool_id,
            supplier=origin.supplier,
            supplier_sku=origin.supplier_sku,
            kind=arrival.kind,
            quantity=arrival.quantity,
            wanted=origin.wanted,
            cost=MoneyModel.from_domain(origin.cost),
            is_late=origin.is_late,
            state=arrival.state.value,
            accepted=arrival.accepted,
            rejected=arrival.rejected,
            duplicates=arrival.duplicates,
            refused_as=arrival.refused_as,
            placed_by=arrival.placed_by,
            created_at=arrival.created_at,
            ended_at=arrival.ended_at,
        )
