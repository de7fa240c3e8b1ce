from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from order.steps import service as steps
from order.steps.domain import BACK_ORDER
from order.stock import repository
from order.stock.domain import SoldOut, Stand, fold


async def note(tx: Transaction, stands: Sequence[Stand]) -> None:
    """What the vault's events say of its pools, in their order."""
    if stands:
        folded = fold(list(stands))
        await repository.set_many(tx, folded)
        await _wake(tx, {it.pool_id: it.units_back for it in folded if it.units_back})


async def take_sold_out(tx: Transaction, *, seconds: float, limit: int) -> Sequence[SoldOut]:
    """Sold-out pools to ask the vault about; each at most once in so many seconds."""
    return await repository.take_sold_out(tx, seconds=seconds, limit=limit)


async def note_back(tx: Transaction, pool: SoldOut, units: int) -> None:
    """The vault has units of a pool again; an event that came meanwhile has the last word."""
    await repository.set_back(tx, pool, units)
    await _wake(tx, {pool.pool_id: units})


async def _wake(tx: Transaction, units: Mapping[UUID, int]) -> None:
    """Paid lines that wait for stock ask for it now."""
    await steps.wake(tx, BACK_ORDER, units)
