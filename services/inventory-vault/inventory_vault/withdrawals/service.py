from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.lots.domain import Lot
from inventory_vault.lots.service import LotService
from inventory_vault.pools.service import PoolService
from inventory_vault.units.domain import Unit
from inventory_vault.units.service import UnitService
from inventory_vault.withdrawals import repository
from inventory_vault.withdrawals.domain import LOT_MOVES, Action, NotOnShelf
from kit.db import Transaction


class WithdrawalService:
    """Quarantine, restore, void: units and whole lots, each noted with its reason."""

    def __init__(self, pools: PoolService, lots: LotService, units: UnitService) -> None:
        self._pools = pools
        self._lots = lots
        self._units = units

    async def act_on_unit(
        self,
        tx: Transaction,
        merchant_id: UUID,
        unit_id: UUID,
        action: Action,
        *,
        reason: str,
        requested_by: str,
    ) -> Unit:
        """Raises UnitNotFound, NotOnShelf."""
        unit = await self._units.get(tx, merchant_id, unit_id)
        await self._pools.lock(tx, [unit.pool_id])
        if not await _move_unit(tx, unit_id, action, reason):
            # Read again: the state may have changed before we got the lock.
            state = (await self._units.get(tx, merchant_id, unit_id)).state
            raise NotOnShelf(action, unit_id, state)
        await repository.note(tx, merchant_id, unit.lot_id, unit_id, action, reason, requested_by)
        note(
            tx,
            f"unit.{action.past}",
            unit_id,
            merchant_id=merchant_id,
            actor=requested_by,
            reason=reason,
        )
        return await self._units.get(tx, merchant_id, unit_id)

    async def act_on_lot(
        self,
        tx: Transaction,
        merchant_id: UUID,
        lot_id: UUID,
        action: Action,
        *,
        reason: str,
        requested_by: str,
    ) -> Lot:
        """Raises LotNotFound, NotOnShelf."""
        lot = await self._lots.get(tx, merchant_id, lot_id)
        await self._pools.lock(tx, [lot.pool_id])
        before, after = LOT_MOVES[action]
        if not await repository.move_lot(tx, lot_id, before, after):
            state = (await self._lots.get(tx, merchant_id, lot_id)).state
            raise NotOnShelf(action, lot_id, state.value)
        await repository.note(tx, merchant_id, lot_id, None, action, reason, requested_by)
        note(
            tx,
            f"lot.{action.past}",
            lot_id,
            merchant_id=merchant_id,
            actor=requested_by,
            reason=reason,
        )
        return await self._lots.get(tx, merchant_id, lot_id)


async def _move_unit(tx: Transaction, unit_id: UUID, action: Action, reason: str) -> bool:
    match action:
        case Action.QUARANTINE:
            return await repository.withdraw(tx, unit_id, "quarantined", reason)
        case Action.RESTORE:
            return await repository.restore(tx, unit_id)
        case Action.VOID:
            return await repository.void_quarantined(
                tx, unit_id, reason
            ) or await repository.withdraw(tx, unit_id, "void", reason)
