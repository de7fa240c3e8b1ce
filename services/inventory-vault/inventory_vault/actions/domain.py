"""Acting on stock by a filter, and what was done to stock by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from inventory_vault.withdrawals.domain import Action

UNITS_TOGETHER_MAX = 10_000
"""Units one call moves: about a second under the pool's lock."""

# Where the units stand that an action may move: on the shelves of lots of these states, and one by
# one in these.
SHELVES_OF: dict[Action, tuple[str, ...]] = {
    Action.QUARANTINE: ("on_shelf",),
    Action.VOID: ("on_shelf", "quarantined", "inactive"),
    Action.RESTORE: ("quarantined",),
    Action.ACTIVATE: ("inactive",),
}
WITHDRAWN_AS: dict[Action, tuple[str, ...]] = {
    Action.QUARANTINE: (),
    Action.VOID: ("quarantined", "inactive"),
    Action.RESTORE: ("quarantined",),
    Action.ACTIVATE: ("inactive",),
}


@dataclass(frozen=True, slots=True)
class StockFilter:
    """Units of a pool; what is None does not matter."""

    pool_id: UUID
    lot_ids: tuple[UUID, ...] | None = None
    supplier: str | None = None
    imported_from: datetime | None = None
    imported_to: datetime | None = None
    expires_before: datetime | None = None
    mask: str | None = None
    unit_ids: tuple[UUID, ...] | None = None

    @property
    def takes_lots_whole(self) -> bool:
        return self.expires_before is None and self.mask is None and self.unit_ids is None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit an action may move. `is_by_lot`: it is in its state because its lot is."""

    unit_id: UUID
    lot_id: UUID
    is_by_lot: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """`id` is None for a dry run. Held and sold: what the filter names but nobody may touch,
    counted up to UNITS_TOGETHER_MAX.
    """

    id: UUID | None
    matched: int
    moved: int
    more: bool
    held: int
    sold: int


@dataclass(frozen=True, slots=True)
class StockAction:
    """An entry of the log: a unit, a lot, or what a filter named."""

    id: UUID
    action: Action
    pool_id: UUID | None
    lot_id: UUID | None
    unit_id: UUID | None
    filter: Mapping[str, Any] | None
    units: int | None
    reason: str
    requested_by: str
    acted_at: datetime
