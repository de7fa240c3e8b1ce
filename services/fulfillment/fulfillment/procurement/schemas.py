"""The wire of procurements."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.procurement.domain import Procurement
from fulfillment.procurement_rules.domain import QUANTITY_MAX
from kit.http import Model
from kit.http.wire import MoneyModel

Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")
]
State = Literal[
    "planned",
    "awaiting_approval",
    "buying",
    "unknown",
    "arrived",
    "partly",
    "failed",
    "declined",
]

_POOL = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"
_PROCUREMENT: dict[str, Any] = {
    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a81",
    "pool_id": _POOL,
    "rule_id": None,
    "supplier_product_id": None,
    "state": "arrived",
    "reason": "",
    "quantity": 100,
    "bought": 100,
    "arrived": 100,
    "budget": {"amount": 470000, "currency": "CNY"},
    "spent": {"amount": 455000, "currency": "CNY"},
    "explanation": {"offers": [{"supplier": "acme", "place": 1, "landed_minor": 4596}]},
    "requested_by": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a02",
    "decided_by": None,
    "decided_at": None,
    "created_at": "2026-11-27T09:00:00Z",
    "ended_at": "2026-11-27T09:00:04Z",
}


class ProcurementCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"pool_id": _POOL, "quantity": 100}]})

    pool_id: UUID = Field(description="Where the codes go.")
    quantity: Quantity
    supplier_product_id: UUID | None = Field(
        default=None, description="Only of this offer; null: of the best one, then of the next."
    )
    budget: MoneyModel | None = Field(
        default=None,
        description="What it may cost in all; null: so many of the dearest offer that is usable.",
    )


class ProcurementDecline(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the season is over"}]})

    reason: Reason


class ProcurementRead(Model):
    """Codes that are bought into stock."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROCUREMENT]})

    id: UUID
    pool_id: UUID
    rule_id: UUID | None = Field(description="The rule that planned it; null: a person did.")
    supplier_product_id: UUID | None
    state: State
    reason: str = Field(description="A stable code of why not all of it; empty when it is.")
    quantity: int
    bought: int = Field(description="How many were bought of suppliers.")
    arrived: int = Field(description="How many are on the vault's shelf.")
    budget: MoneyModel
    spent: MoneyModel
    explanation: dict[str, Any] = Field(
        description="The figures it was decided by: the pool's, and every offer with its place or "
        "why it has none."
    )
    requested_by: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, it: Procurement) -> Self:
        return cls(
            id=it.id,
            pool_id=it.pool_id,
            rule_id=it.rule_id,
            supplier_product_id=it.supplier_product_id,
            state=it.state.value,
            reason=it.reason,
            quantity=it.quantity,
            bought=it.bought,
            arrived=it.arrived,
            budget=MoneyModel.from_domain(it.budget),
            spent=MoneyModel(amount=it.spent_minor, currency=it.budget.currency),
            explanation=dict(it.explanation),
            requested_by=it.requested_by,
            decided_by=it.decided_by,
            decided_at=it.decided_at,
            created_at=it.created_at,
            ended_at=it.ended_at,
        )
