from collections.abc import Sequence
from uuid import UUID

from inventory_vault.cover import repository
from inventory_vault.cover.domain import Pace
from kit.db import Transaction


async def sample(tx: Transaction, *, after: UUID | None, limit: int) -> list[UUID]:
    """Notes what pools have sold and how fast, a bounded number in order of their ids; which."""
    looked = await repository.sample(tx, after=after, limit=limit)
    if looked:
        await repository.measure(tx, looked)
    return looked


async def paces_of(tx: Transaction, pool_ids: Sequence[UUID]) -> dict[UUID, Pace]:
    """How fast these pools sell; of every one of them."""
    found = await repository.paces_of(tx, pool_ids)
    return {pool_id: found.get(pool_id, Pace(pool_id, None)) for pool_id in pool_ids}


async def note_low(tx: Transaction, changed: Sequence[tuple[UUID, bool]]) -> None:
    """(pool, whether its cover is low) of pools whose state changed."""
    if changed:
        pool_ids, lows = zip(*changed, strict=True)
        await repository.set_low(tx, pool_ids, lows)
