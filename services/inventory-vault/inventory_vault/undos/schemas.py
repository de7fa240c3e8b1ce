from typing import Self
from uuid import UUID

from pydantic import ConfigDict

from inventory_vault.lots.domain import Lot
from kit.http import Model, MoneyModel, Name


class UndoCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the wrong file"}]})

    reason: Name


class UndoRead(Model):
    """What was taken back."""

    lot_id: UUID
    pool_id: UUID
    units: int
    total_cost: MoneyModel

    @classmethod
    def from_domain(cls, lot: Lot) -> Self:
        return cls(
            lot_id=lot.id,
            pool_id=lot.pool_id,
            units=lot.levels.total,
            total_cost=MoneyModel.from_domain(lot.total_cost),
        )
