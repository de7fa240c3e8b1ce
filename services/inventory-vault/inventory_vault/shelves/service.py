from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from inventory_vault.pools.domain import Pool
from inventory_vault.pools.service import PoolService
from inventory_vault.shelves import events, repository
from inventory_vault.shelves.domain import Shelves, TakenUnit, allot
from kit.db import Transaction
from kit.messaging import outbox

STALE_LOTS_MAX = 50


@dataclass(frozen=True, slots=True)
class OpenShelves:
    """Locked pools and their stock; what `Shelves.draw` noted is taken by `ShelfService.take`."""

    pools: Mapping[UUID, Pool]
    stock: Shelves
    before: Mapping[UUID, int]


class ShelfService:
    """Takes units off the shelf, puts them back, sells them: each a constant number of statements
    for any number of reservations.
    """

    def __init__(self, pools: PoolService) -> None:
        self._pools = pools

    async def open(self, tx: Transaction, pool_ids: Collection[UUID]) -> OpenShelves:
        """Waits for whoever moves these pools' stock: what is read then is the truth, so no sale is
        refused because units are merely locked.
        """
        pools = await self._pools.lock(tx, pool_ids)
        rows = await repository.read_shelves(tx, list(pools))
        if rows.stale:
            await repository.withdraw_expired(tx, rows.stale)
            rows = await repository.read_shelves(tx, list(pools))
        stock = Shelves(rows.lots)
        return OpenShelves(pools, stock, {pool_id: stock.available(pool_id) for pool_id in pools})

    async def take(self, tx: Transaction, shelves: OpenShelves) -> None:
        """Allocates everything that was drawn. Publishes StockLow and StockOut when crossed."""
        lots = shelves.stock.touched()
        if not lots:
            return
        free = await repository.take_free(tx, lots)
        ahead = await repository.pick_ahead(tx, lots)
        await repository.allocate(tx, lots, allot(shelves.stock.draws, free, ahead))
        for pool_id, before in shelves.before.items():
            _publish_shortage(tx, shelves.pools[pool_id], before, shelves.stock.available(pool_id))

    async def put_back(
        self, tx: Transaction, pool_ids: Collection[UUID], reservation_ids: Sequence[UUID]
    ) -> None:
        """The reserved units of these reservations go back; the caller holds their rows' locks."""
        if reservation_ids:
            await self._pools.lock(tx, pool_ids)
            await repository.put_back(tx, reservation_ids)

    async def sell(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> list[TakenUnit]:
        """The units of these reservations, sold now; the caller holds their rows' locks."""
        if not reservation_ids:
            return []
        sold = await repository.sell(tx, reservation_ids)
        units = await repository.units_of(tx, reservation_ids)
        assert sold == len(units), "a unit of a hold was not reserved"
        await repository.count_sold(tx, Counter(unit.lot_id for unit in units))
        return units

    async def units_of(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> list[TakenUnit]:
        return await repository.units_of(tx, reservation_ids) if reservation_ids else []

    async def open_unit(self, tx: Transaction, lot_id: UUID, seq: int) -> bool:
        """sold -> opened; False when somebody opened it before."""
        return await repository.open_unit(tx, lot_id, seq)

    async def step(self, tx: Transaction, lot_ids: Sequence[UUID]) -> None:
        """Moves the cursors of these lots over units that are not on the shelf any more; the caller
        holds their pools' locks.
        """
        await repository.step(tx, lot_ids)

    async def withdraw_expired_of(self, tx: Transaction, lot_ids: Sequence[UUID]) -> None:
        """What has expired leaves these lots' shelves; the caller holds their pools' locks."""
        await repository.withdraw_expired(tx, lot_ids)

    async def withdraw_expired(self, tx: Transaction) -> bool:
        """Units past their own expiry leave the shelf; True while more lots may wait."""
        stale = await repository.stale_lots(tx, STALE_LOTS_MAX)
        if stale:
            await self._pools.lock(tx, {pool_id for pool_id, _ in stale})
            await repository.withdraw_expired(tx, [lot_id for _, lot_id in stale])
        return len(stale) == STALE_LOTS_MAX


def _publish_shortage(tx: Transaction, pool: Pool, before: int, after: int) -> None:
    """At the crossing only: a pool that stays low says so once."""
    if before > 0 and after == 0:
        outbox.add(tx, events.stock_out(pool), key=pool.id, merchant_id=pool.merchant_id)
        return
    threshold = pool.low_stock_threshold
    if threshold is not None and after < threshold <= before:
        outbox.add(tx, events.stock_low(pool, after), key=pool.id, merchant_id=pool.merchant_id)
