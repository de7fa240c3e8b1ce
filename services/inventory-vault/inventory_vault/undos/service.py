from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.lots.domain import Lot
from inventory_vault.lots.service import LotService
from inventory_vault.pools.service import PoolService
from inventory_vault.shelves.service import ShelfService
from kit.db import Transaction

TAKE_BACK_AT_ONCE = 10


class UndoService:
    """Takes back a lot of which nobody ever had a unit, as if it had not been imported."""

    def __init__(self, pools: PoolService, lots: LotService, shelves: ShelfService) -> None:
        self._pools = pools
        self._lots = lots
        self._shelves = shelves

    async def undo(
        self, tx: Transaction, merchant_id: UUID, lot_id: UUID, *, reason: str, requested_by: str
    ) -> Lot:
        """The lot as it was; it is off the shelf when `tx` commits, its units go soon after.

        Raises LotNotFound, LotAlreadySold, LotNotUndoable. Publishes StockUndone, and StockOut or
        StockLow when the pool runs short by it.
        """
        lot = await self._lots.get(tx, merchant_id, lot_id)
        # Who reserves holds the pool: from here on the lot is either taken from, or nobody's.
        pools = await self._pools.lock(tx, [lot.pool_id])
        lot = await self._lots.get(tx, merchant_id, lot_id)
        before = await self._available(tx, lot.pool_id)
        await self._lots.undo(tx, lot)
        after = await self._available(tx, lot.pool_id)
        await self._shelves.tell_shortage(tx, pools[lot.pool_id], before, after)
        note(
            tx,
            "lot.undone",
            lot_id,
            merchant_id=merchant_id,
            actor=requested_by,
            reason=reason,
            units=lot.levels.total,
            total_cost=lot.total_cost.amount_minor,
            currency=lot.total_cost.currency,
        )
        return lot

    async def _available(self, tx: Transaction, pool_id: UUID) -> int:
        return (await self._lots.levels(tx, [pool_id]))[pool_id].available

    async def take_back(self, tx: Transaction) -> bool:
        """Deletes units of undone lots, a bounded number; True while more are left."""
        found = await self._lots.list_undone(tx, TAKE_BACK_AT_ONCE)
        for lot_id in found:
            if await self._lots.discard(tx, lot_id):
                return True
        return len(found) == TAKE_BACK_AT_ONCE
