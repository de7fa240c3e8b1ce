"""What order knows of the vault's stock: which pools are sold out, and what came back since."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Stand:
    """A pool after an event: sold out, or with units that came back to it."""

    pool_id: UUID
    merchant_id: UUID
    is_out: bool
    units_back: int = 0


@dataclass(frozen=True, slots=True)
class SoldOut:
    """A pool that is sold out as far as is known here, since `changed_at`."""

    pool_id: UUID
    merchant_id: UUID
    changed_at: datetime


def fold(stands: list[Stand]) -> list[Stand]:
    """One stand for each pool, in the order of what happened to it."""
    found: dict[UUID, Stand] = {}
    for stand in stands:
        before = found.get(stand.pool_id)
        if before is not None and not stand.is_out and not before.is_out:
            units = before.units_back + stand.units_back
            stand = Stand(stand.pool_id, stand.merchant_id, is_out=False, units_back=units)
        found[stand.pool_id] = stand
    return list(found.values())
