"""The wire of procurement rules."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.procurement_rules.domain import QUANTITY_MAX, Rule
from kit.http import CurrencyCode, Model
from kit.ids import new_id

Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
Days = Annotated[float, Field(gt=0, le=365)]
Minor = Annotated[int, Field(ge=0, le=10**13)]

_COVER = "Bought when the stock lasts for fewer days than this, at the pace of the last days."
_POINT = "Bought when no more units than this are available."
_TARGET = "For so many days the stock shall last afterwards."
_MIN = "The fewest to buy at once; this many where the pace is not known yet."
_MAX = "The most to buy at once."
_PER_DAY = "What may be spent for the pool on a day (UTC), by whomever; null: no limit."
_APPROVAL = "What may cost more than this waits for a person's word; null: nobody is asked."

_POOL = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"
_RULE: dict[str, Any] = {
    "pool_id": _POOL,
    "currency": "CNY",
    "reorder_cover_days": 3,
    "target_cover_days": 10,
    "quantity_min": 10,
    "quantity_max": 500,
    "budget_per_day_minor": 2_000_000,
    "approval_above_minor": 1_000_000,
}


class RuleCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [_RULE]})

    pool_id: UUID
    currency: CurrencyCode = Field(description="What is bought in; never changed into another.")
    reorder_cover_days: Days | None = Field(default=None, description=_COVER)
    reorder_point: Annotated[int, Field(ge=0, le=QUANTITY_MAX)] | None = Field(
        default=None, description=_POINT
    )
    target_cover_days: Days = Field(description=_TARGET)
    quantity_min: Quantity = Field(default=1, description=_MIN)
    quantity_max: Quantity = Field(description=_MAX)
    budget_per_day_minor: Minor | None = Field(default=None, description=_PER_DAY)
    approval_above_minor: Minor | None = Field(default=None, description=_APPROVAL)
    is_active: bool = True

    def to_domain(self, merchant_id: UUID) -> Rule:
        return Rule(id=new_id(), merchant_id=merchant_id, **self.model_dump())


class RuleChange(Model):
    """What is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_active": True}]})

    reorder_cover_days: Days | None = Field(default=None, description=_COVER)
    reorder_point: Annotated[int, Field(ge=0, le=QUANTITY_MAX)] | None = Field(
        default=None, description=_POINT
    )
    target_cover_days: Days = Field(default=1, description=_TARGET)
    quantity_min: Quantity = Field(default=1, description=_MIN)
    quantity_max: Quantity = Field(default=1, description=_MAX)
    budget_per_day_minor: Minor | None = Field(default=None, description=_PER_DAY)
    approval_above_minor: Minor | None = Field(default=None, description=_APPROVAL)
    is_active: bool = True

    def values(self) -> dict[str, Any]:
        """What was sent."""
        return self.model_dump(exclude_unset=True)


class RuleRead(Model):
    """When a pool is bought for, and how much."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a82",
                    **_RULE,
                    "reorder_point": None,
                    "is_active": True,
                    "checked_at": "2026-11-27T09:00:00Z",
                    "last_reason": "enough",
                    "created_at": "2026-11-27T09:00:00Z",
                }
            ]
        }
    )

    id: UUID
    pool_id: UUID
    currency: str
    reorder_cover_days: float | None
    reorder_point: int | None
    target_cover_days: float
    quantity_min: int
    quantity_max: int
    budget_per_day_minor: int | None
    approval_above_minor: int | None
    is_active: bool
    checked_at: datetime | None
    last_reason: str = Field(
        description="What the last look came to: `enough`, `budget_spent`, `no_offer`, ...; empty: "
        "something was planned."
    )
    created_at: datetime | None

    @classmethod
    def from_domain(cls, rule: Rule) -> Self:
        return cls(**{name: getattr(rule, name) for name in cls.model_fields})
