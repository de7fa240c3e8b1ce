from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from inventory_vault.actions.domain import Outcome, StockAction, StockFilter
from kit.http import Model, Name

LOTS_MAX = 100
UNITS_NAMED_MAX = 1_000


class StockFilterModel(Model):
    """All that is given must be true of a unit."""

    pool_id: UUID
    lot_ids: Annotated[list[UUID], Field(min_length=1, max_length=LOTS_MAX)] | None = None
    supplier: Name | None = None
    imported_from: AwareDatetime | None = None
    imported_to: AwareDatetime | None = Field(default=None, description="not included")
    expires_before: AwareDatetime | None = None
    mask: Name | None = Field(default=None, description="the mask as the vault shows it")
    unit_ids: Annotated[list[UUID], Field(min_length=1, max_length=UNITS_NAMED_MAX)] | None = None

    def to_domain(self) -> StockFilter:
        return StockFilter(
            pool_id=self.pool_id,
            lot_ids=tuple(self.lot_ids) if self.lot_ids else None,
            supplier=self.supplier,
            imported_from=self.imported_from,
            imported_to=self.imported_to,
            expires_before=self.expires_before,
            mask=self.mask,
            unit_ids=tuple(self.unit_ids) if self.unit_ids else None,
        )


class StockActionCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "action": "quarantine",
                    "filter": {
                        "pool_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10",
                        "supplier": "ACME",
                    },
                    "reason": "the supplier recalled the batch",
                    "dry_run": True,
                }
            ]
        }
    )

    action: Literal["quarantine", "restore", "void", "activate"]
    filter: StockFilterModel
    reason: Name
    dry_run: bool = False


class StockActionOutcome(Model):
    """Call again while `more`."""

    id: UUID | None = Field(description="of the entry in the log; null for a dry run")
    matched: int = Field(description="units this call may move, at most 10,000 and whole lots")
    moved: int
    more: bool
    held: int = Field(description="named by the filter but held; counted up to 10,000 with sold")
    sold: int

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        return cls(
            id=outcome.id,
            matched=outcome.matched,
            moved=outcome.moved,
            more=outcome.more,
            held=outcome.held,
            sold=outcome.sold,
        )


class StockActionRead(Model):
    """What was acted on: `filter` (then `units` says how many moved), a lot, or a unit."""

    id: UUID
    action: str
    pool_id: UUID | None
    lot_id: UUID | None
    unit_id: UUID | None
    filter: dict[str, Any] | None
    units: int | None
    reason: str
    requested_by: str
    acted_at: datetime

    @classmethod
    def from_domain(cls, entry: StockAction) -> Self:
        return cls(
            id=entry.id,
            action=entry.action.value,
            pool_id=entry.pool_id,
            lot_id=entry.lot_id,
            unit_id=entry.unit_id,
            filter=dict(entry.filter) if entry.filter else None,
            units=entry.units,
            reason=entry.reason,
            requested_by=entry.requested_by,
            acted_at=entry.acted_at,
        )
