from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, field_validator

from inventory_vault.lots.domain import Levels, Lot
from inventory_vault.lots.service import Conservation
from inventory_vault.pools.domain import DIMENSIONS, HoldBudget, Pool
from kit.http import Model, MoneyModel, Name
from kit.money import Money

THRESHOLD_MAX = 1_000_000_000
UnitKindText = Literal["card", "code", "link", "image", "voucher", "reusable"]


class HoldBudgetModel(Model):
    """max(units_min, floor(share x (available + own held) x min(1, available / threshold)))."""

    share_percent: Annotated[int, Field(ge=0, le=100)]
    units_min: Annotated[int, Field(ge=0, le=10_000)] = 1


class HoldBudgets(Model):
    """What one unpaid buyer, IP address, device or channel may hold of the pool at a time."""

    buyer: HoldBudgetModel | None = None
    ip: HoldBudgetModel | None = None
    device: HoldBudgetModel | None = None
    channel: HoldBudgetModel | None = None

    def to_domain(self) -> dict[str, HoldBudget]:
        return {
            name: HoldBudget(budget.share_percent, budget.units_min)
            for name in DIMENSIONS
            if (budget := getattr(self, name)) is not None
        }

    @classmethod
    def of(cls, pool: Pool) -> Self | None:
        if not pool.hold_budget:
            return None
        return cls(
            **{
                name: HoldBudgetModel(
                    share_percent=budget.share_percent, units_min=budget.units_min
                )
                for name, budget in pool.hold_budget.items()
            }
        )


Threshold = Annotated[int, Field(ge=0, le=THRESHOLD_MAX)]
CoverDays = Annotated[int, Field(ge=1, le=365)]


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
    low_stock_threshold: Threshold | None = None
    low_cover_days: CoverDays | None = None
    hold_budget: HoldBudgets | None = None


class PoolChange(Model):
    """What is left out stays; null takes a limit away."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "low_stock_threshold": 200,
                    "low_cover_days": 3,
                    "hold_budget": {"ip": {"share_percent": 5, "units_min": 2}},
                }
            ]
        }
    )

    name: Name | None = None
    low_stock_threshold: Threshold | None = None
    low_cover_days: CoverDays | None = None
    hold_budget: HoldBudgets | None = None

    @field_validator("name")
    @classmethod
    def _has_name(cls, value: str | None) -> str:
        if value is None:
            raise ValueError("a pool has a name")
        return value

    def to_domain(self) -> dict[str, object]:
        """Only what was given."""
        settings: dict[str, object] = {
            name: getattr(self, name) for name in self.model_fields_set - {"hold_budget"}
        }
        if "hold_budget" in self.model_fields_set:
            settings["hold_budget"] = self.hold_budget.to_domain() if self.hold_budget else {}
        return settings


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
    low_cover_days: int | None
    hold_budget: HoldBudgets | None
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
            low_cover_days=pool.low_cover_days,
            hold_budget=HoldBudgets.of(pool),
            created_at=pool.created_at,
            levels=LevelsRead.from_domain(levels),
        )


class PoolRead(PoolSummary):
    sold_per_day: float | None = Field(
        default=None, description="over up to the last seven days; null while that is not known"
    )
    cover_days: float | None = Field(
        default=None, description="how long `available` lasts at that pace; null: no end in sight"
    )
    lots: list[LotRead] = Field(default_factory=list, description="the newest 100")


class PoolCost(Model):
    pool_id: UUID
    unit_costs: list[MoneyModel]


class PoolCosts(Model):
    """One item for each pool that was asked for."""

    items: list[PoolCost]

    @classmethod
    def of(cls, costs: Mapping[UUID, Sequence[Money]]) -> Self:
        items = [
            PoolCost(pool_id=pool_id, unit_costs=[MoneyModel.from_domain(it) for it in found])
            for pool_id, found in costs.items()
        ]
        return cls(items=items)


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
