from collections.abc import Sequence
from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.lots.domain import Lot, LotState
from inventory_vault.lots.service import LotService
from inventory_vault.pools.service import PoolService
from inventory_vault.shelves.service import ShelfService
from inventory_vault.units.domain import Unit
from inventory_vault.units.service import UnitService
from inventory_vault.withdrawals import repository
from inventory_vault.withdrawals.domain import (
    BACK_FROM,
    LOT_MOVES,
    SPREAD_UNITS_MAX,
    WITHDRAWN_FROM,
    Action,
    LotTooLarge,
    NotOnShelf,
)
from kit.db import Transaction


class WithdrawalService:
    """Quarantine, restore, void, activate: units and whole lots, each noted with its reason."""

    def __init__(
        self, pools: PoolService, lots: LotService, shelves: ShelfService, units: UnitService
    ) -> None:
        self._pools = pools
        self._lots = lots
        self._shelves = shelves
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
        """Raises UnitNotFound, NotOnShelf, LotTooLarge, LotExposed."""
        unit = await self._units.get(tx, merchant_id, unit_id)
        await self._pools.lock(tx, [unit.pool_id])
        if action is Action.ACTIVATE:
            await self.spread(tx, merchant_id, unit.lot_id, reason, only=LotState.INACTIVE)
        if not await self.move(tx, [unit_id], action, reason):
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
        """Raises LotNotFound, NotOnShelf, LotExposed."""
        lot = await self._lots.get(tx, merchant_id, lot_id)
        await self._pools.lock(tx, [lot.pool_id])
        before, after = LOT_MOVES[action]
        moved = await repository.move_lot(tx, lot_id, before, after)
        if action is Action.ACTIVATE:
            # What is left of a lot whose units were activated one by one.
            rest = await repository.bring_lot_back(tx, lot_id, BACK_FROM[action])
            await self._shelves.reopen(tx, rest.reopened)
            moved = moved or bool(rest.unit_ids)
        if not moved:
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

    async def move(
        self, tx: Transaction, unit_ids: Sequence[UUID], action: Action, reason: str
    ) -> list[UUID]:
        """The units that took the step; the others are in no state to. The caller holds their
        pools' locks.
        """
        if action in BACK_FROM:
            back = await repository.bring_back(tx, unit_ids, BACK_FROM[action])
            await self._shelves.reopen(tx, back.reopened)
            return list(back.unit_ids)
        moved: list[UUID] = []
        if action is Action.VOID:
            moved += (await repository.void_withdrawn(tx, unit_ids, reason)).unit_ids
        state = "void" if action is Action.VOID else "quarantined"
        gone = await repository.withdraw(tx, unit_ids, WITHDRAWN_FROM[action], state, reason)
        if gone.lot_ids:
            await self._shelves.step(tx, gone.lot_ids)
        return moved + list(gone.unit_ids)

    async def bring_lots_back(
        self, tx: Transaction, merchant_id: UUID, lot_ids: Sequence[UUID], action: Action
    ) -> int:
        """Quarantined or inactive lots, whole; how many units that puts on the shelf.

        Raises LotExposed.
        """
        units = 0
        before, after = LOT_MOVES[action]
        for lot_id in lot_ids:
            lot = await self._lots.get(tx, merchant_id, lot_id)
            if await repository.move_lot(tx, lot_id, before, after):
                back = await self._lots.get(tx, merchant_id, lot_id)
                units += back.levels.available - lot.levels.available
        return units

    async def spread(
        self,
        tx: Transaction,
        merchant_id: UUID,
        lot_id: UUID,
        reason: str,
        *,
        only: LotState | None = None,
    ) -> None:
        """Before one unit of a quarantined or inactive lot comes back, that state is given to each
        of its units. Raises LotTooLarge, LotExposed.
        """
        lot = await self._lots.get(tx, merchant_id, lot_id)
        if lot.state not in (LotState.INACTIVE, LotState.QUARANTINED):
            return
        if only is not None and lot.state is not only:
            return
        units = lot.levels.inactive + lot.levels.quarantined
        if units > SPREAD_UNITS_MAX:
            raise LotTooLarge(units=units, units_max=SPREAD_UNITS_MAX)
        await self._shelves.withdraw_expired_of(tx, [lot_id])
        await repository.spread(tx, lot_id, reason)
