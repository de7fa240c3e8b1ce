"""The wire of purchases."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.purchases.domain import Purchase
from kit.http import Model
from kit.http.wire import MoneyModel

_PURCHASE: dict[str, Any] = {
    "id": "0193a3f0-5b1e-5c44-9d57-0f4d3c1b2a41",
    "order_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a11",
    "line_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a12",
    "delivery_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a77",
    "procurement_id": None,
    "supplier": "acme",
    "supplier_sku": "CM-50",
    "quantity": 1,
    "state": "done",
    "cost_max": {"amount": 4900, "currency": "CNY"},
    "cost": {"amount": 4850, "currency": "CNY"},
    "is_dearer": False,
    "sends": 1,
    "asks": 0,
    "reason": "",
    "supplier_reference": "ACME-77",
    "receipt": "",
    "sent_at": "2026-11-27T09:00:00Z",
    "settled_at": "2026-11-27T09:00:01Z",
    "late_success_at": None,
    "created_at": "2026-11-27T09:00:00Z",
    "choice": None,
}

State = Literal["intent", "sent", "done", "failed", "unknown", "manual"]


class PurchaseRead(Model):
    """What was bought of a supplier, for a line or for stock; without its account."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PURCHASE]})

    id: UUID = Field(description="Our reference at the supplier.")
    order_id: UUID | None = Field(description="Null when it was bought for stock.")
    line_id: UUID | None
    delivery_id: UUID | None
    procurement_id: UUID | None = Field(description="Set when it was bought for stock.")
    supplier: str
    supplier_sku: str
    quantity: int
    state: State
    cost_max: MoneyModel = Field(description="Never to be bought dearer, for the whole quantity.")
    cost: MoneyModel | None = Field(description="What the supplier took, once it is done.")
    is_dearer: bool = Field(description="The supplier took more than was agreed.")
    sends: int = Field(description="How often it was sent, always under the same reference.")
    asks: int = Field(description="How often the supplier was asked what became of it.")
    reason: str = Field(description="A stable code of why it is not done; empty when it is.")
    supplier_reference: str
    receipt: str
    sent_at: datetime | None
    settled_at: datetime | None
    late_success_at: datetime | None = Field(
        description="When the supplier said it was done after all, having refused before."
    )
    created_at: datetime | None
    choice: list[dict[str, Any]] | None = Field(
        description="Of a product with `routing: best`: each offer it was chosen from, with its "
        "place, why not, and the figures of that moment. Null: its offer was next in the list."
    )

    @classmethod
    def from_domain(cls, purchase: Purchase) -> Self:
        cost = purchase.cost
        return cls(
            id=purchase.id,
            order_id=purchase.order_id,
            line_id=purchase.line_id,
            delivery_id=purchase.delivery_id,
            procurement_id=purchase.procurement_id,
            supplier=purchase.supplier,
            supplier_sku=purchase.supplier_sku,
            quantity=purchase.quantity,
            state=purchase.state.value,
            cost_max=MoneyModel.from_domain(purchase.cost_max),
            cost=MoneyModel.from_domain(cost) if cost else None,
            is_dearer=purchase.is_dearer,
            sends=purchase.sends,
            asks=purchase.asks,
            reason=purchase.reason,
            supplier_reference=purchase.supplier_reference,
            receipt=purchase.receipt,
            sent_at=purchase.sent_at,
            settled_at=purchase.settled_at,
            late_success_at=purchase.late_success_at,
            created_at=purchase.created_at,
            choice=None if purchase.choice is None else [dict(it) for it in purchase.choice],
        )
