from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from inventory_vault.lots.domain import Levels, Lot
from inventory_vault.lots.service import Conservation
from inventory_vault.pools.domain import Pool
from kit.http import Model, MoneyModel, Name

THRESHOLD_MAX = 1_000_000_000
UnitKindText = Literal["card", "code", "link", "image", "voucher", "reusable"]


class PoolCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Youku monthly cards", "unit_kind": "card", "low_stock_threshold": 100}
            ]
        }
    )

    name: Name
    unit_kind: UnitKindText
    low_stock_threshold: Annotated[int, Field(ge=0, le=THRESHOLD_MAX)] | None = None


class LevelsRead(Model):
    """Units by state; they sum to `total`."""

    available: int
    reserved: int
    sold: int
    opened: int
    redeemed: int
    expired: int
    quarantined: int
    void: int
    inactive: int
    total: int

    @classmethod
    def from_domain(cls, levels: Levels) -> Self:
        names = list(cls.model_fields)
        return cls(**dict(zip(names, levels.figures(), strict=True)))


class LotRead(Model):
    id: UUID
    pool_id: UUID
    state: str
    supplier: str
    note: str | None
    unit_cost: MoneyModel
    total_cost: MoneyModel
    expires_at: datetime | None
    created_at: datetime
    levels: LevelsRead

    @classmethod
    def from_domain(cls, lot: Lot) -> Self:
        return cls(
            id=lot.id,
            pool_id=lot.pool_id,
            state=lot.state.value,
            supplier=lot.supplier,
            note=lot.note,
            unit_cost=MoneyModel.from_domain(lot.unit_cost),
            total_cost=MoneyModel.from_domain(lot.total_cost),
            expires_at=lot.expires_at,
            created_at=lot.created_at,
            levels=LevelsRead.from_domain(lot.levels),
        )


class PoolSummary(Model):
    id: UUID
    merchant_id: UUID
    name: str
    unit_kind: str
    low_stock_threshold: int | None
    created_at: datetime
    levels: LevelsRead

    @classmethod
    def of(cls, pool: Pool, levels: Levels) -> Self:
        return cls(
            id=pool.id,
            merchant_id=pool.merchant_id,
            name=pool.name,
            unit_kind=pool.unit_kind.value,
            low_stock_threshold=pool.low_stock_threshold,
            created_at=pool.created_at,
            levels=LevelsRead.from_domain(levels),
        )


class PoolRead(PoolSummary):
    lots: list[LotRead] = Field(default_factory=list, description="the newest 100")


class ConservationRead(Model):
    """`holds` is true when books and rows agree and every imported unit is in exactly one state."""

    lot_id: UUID
    holds: bool
    imported: int
    levels: LevelsRead
    counted: dict[str, int] = Field(description="the same, counted row by row")

    @classmethod
    def from_domain(cls, found: Conservation) -> Self:
        return cls(
            lot_id=found.lot.id,
            holds=found.holds,
            imported=found.counted["imported"],
            levels=LevelsRead.from_domain(found.lot.levels),
            counted=found.counted,
        )
