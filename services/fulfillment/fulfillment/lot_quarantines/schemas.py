"""The wire of stopped lots."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.lot_quarantines.domain import LotQuarantine
from kit.http import Model, Name

State = Literal["due", "quarantined", "missed", "restored"]


class LotRestore(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the supplier switched the codes on"}]}
    )

    reason: Name


class LotQuarantineRead(Model):
    """A lot whose claims were out of line, with the figures that said so."""

    lot_id: UUID
    sku: str
    state: State = Field(description="missed: the vault could not stop it; see `GET /v1/lots`.")
    round: int = Field(description="How often it was stopped.")
    claims: int
    buyers: int
    sold: int
    bound_basis_points: int = Field(description="At least this share of it is bad (99 %).")
    norm_basis_points: int
    reason: str
    created_at: datetime
    quarantined_at: datetime | None
    restored_at: datetime | None
    restored_by: str | None
    restore_reason: str

    @classmethod
    def from_domain(cls, lot: LotQuarantine) -> Self:
        return cls(
            lot_id=lot.lot_id,
            sku=lot.sku,
            state=lot.state.value,
            round=lot.round,
            claims=lot.claims,
            buyers=lot.buyers,
            sold=lot.sold,
            bound_basis_points=lot.bound,
            norm_basis_points=lot.norm,
            reason=lot.reason,
            created_at=lot.created_at,
            quarantined_at=lot.quarantined_at,
            restored_at=lot.restored_at,
            restored_by=lot.restored_by,
            restore_reason=lot.restore_reason,
        )
