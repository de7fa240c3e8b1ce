"""The wire of claw-backs."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import ConfigDict

from fulfillment.claw_backs.domain import ClawBack, SupplierDebt
from kit.http import Model, MoneyModel, Name

State = Literal["noted", "accepted", "refused"]


class ClawBackDecide(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "credit note 2026-118 of the supplier"}]}
    )

    reason: Name


class ClawBackRead(Model):
    """The cost of a bad unit, which its supplier owes; its id is that of the claim."""

    claim_id: UUID
    order_id: UUID
    lot_id: UUID
    unit_id: UUID
    supplier: str
    sku: str
    amount: MoneyModel
    state: State
    reason: str
    decided_by: str | None
    decided_at: datetime | None
    noted_at: datetime | None

    @classmethod
    def from_domain(cls, it: ClawBack) -> Self:
        return cls(
            claim_id=it.claim_id,
            order_id=it.order_id,
            lot_id=it.lot_id,
            unit_id=it.unit_id,
            supplier=it.supplier,
            sku=it.sku,
            amount=MoneyModel.from_domain(it.amount),
            state=it.state.value,
            reason=it.reason,
            decided_by=it.decided_by,
            decided_at=it.decided_at,
            noted_at=it.noted_at,
        )


class SupplierDebtRead(Model):
    """What a supplier owes of one lot, in one state."""

    supplier: str
    lot_id: UUID
    state: State
    amount: MoneyModel
    units: int

    @classmethod
    def from_domain(cls, debt: SupplierDebt) -> Self:
        return cls(
            supplier=debt.supplier,
            lot_id=debt.lot_id,
            state=debt.state.value,
            amount=MoneyModel.from_domain(debt.amount),
            units=debt.units,
        )
