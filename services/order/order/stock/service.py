from collections.abc import Sequence

from kit.db import Transaction
from order.stock import repository
from order.stock.domain import SoldOut, Stand, fold


async def note(tx: Transaction, stands: Sequence[Stand]) -> None:
    """What the vault's events say of its pools, in their order."""
    if stands:
        await repository.set_many(tx, fold(list(stands)))


async def take_sold_out(tx: Transaction, *, seconds: float, limit: int) -> Sequence[SoldOut]:
    """Sold-out pools to ask the vault about; each at most once in so many seconds."""
    return await repository.take_sold_out(tx, seconds=seconds, limit=limit)


async def note_back(tx: Transaction, pool: SoldOut, units: int) -> None:
    """The vault has units of a pool again; an event that came meanwhile has the last word."""
    await repository.set_back(tx, pool, units)
