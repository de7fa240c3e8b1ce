from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from inventory_vault.actions import repository
from inventory_vault.actions.domain import (
    SHELVES_OF,
    UNITS_TOGETHER_MAX,
    WITHDRAWN_AS,
    Candidate,
    Outcome,
    StockAction,
    StockFilter,
)
from inventory_vault.audit.domain import units_digest
from inventory_vault.audit.service import note
from inventory_vault.pools.service import PoolService
from inventory_vault.withdrawals.domain import BACK_FROM, Action
from inventory_vault.withdrawals.service import WithdrawalService
from kit.db import Transaction
from kit.ids import new_id


class StockActionService:
    """The acts on units and lots, on all that a filter names; each call is logged once."""

    def __init__(self, pools: PoolService, withdrawals: WithdrawalService) -> None:
        self._pools = pools
        self._withdrawals = withdrawals

    async def act(
        self,
        tx: Transaction,
        merchant_id: UUID,
        action: Action,
        wanted: StockFilter,
        *,
        document: Mapping[str, Any],
        reason: str,
        is_dry_run: bool,
        requested_by: str,
    ) -> Outcome:
        """Moves up to UNITS_TOGETHER_MAX units; the caller comes again while there are more. What
        is held or sold is not touched. `document` is the filter as the log keeps it.

        Raises PoolNotFound, LotTooLarge, LotExposed.
        """
        await self._pools.get(tx, merchant_id, wanted.pool_id)
        await self._pools.lock(tx, [wanted.pool_id])
        whole = 0
        if not is_dry_run and action in BACK_FROM and wanted.takes_lots_whole:
            lot_ids = await repository.lots_in(tx, wanted, BACK_FROM[action])
            whole = await self._withdrawals.bring_lots_back(tx, merchant_id, lot_ids, action)
        found = await repository.candidates(
            tx, wanted, SHELVES_OF[action], WITHDRAWN_AS[action], UNITS_TOGETHER_MAX + 1
        )
        chosen = found[:UNITS_TOGETHER_MAX]
        held, sold = await repository.count_taken(tx, wanted, UNITS_TOGETHER_MAX)
        has_more = len(found) > UNITS_TOGETHER_MAX
        if is_dry_run:
            return Outcome(None, len(chosen), 0, has_more, held, sold)
        moved = await self._move(tx, merchant_id, chosen, action, reason)
        action_id = new_id()
        units = whole + len(moved)
        await repository.add(
            tx,
            action_id,
            merchant_id,
            action,
            wanted,
            document=document,
            units=units,
            reason=reason,
            requested_by=requested_by,
        )
        note(
            tx,
            f"stock.{action.past}",
            action_id,
            merchant_id=merchant_id,
            actor=requested_by,
            filter=document,
            units=units,
            units_digest=units_digest(moved),
            reason=reason,
        )
        return Outcome(action_id, whole + len(chosen), units, has_more, held, sold)

    async def list_of(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[StockAction]:
        """What was done to stock by hand, the newest first."""
        return await repository.list_of(tx, merchant_id, after=after, limit=limit)

    async def _move(
        self,
        tx: Transaction,
        merchant_id: UUID,
        chosen: Sequence[Candidate],
        action: Action,
        reason: str,
    ) -> list[UUID]:
        if action in BACK_FROM:
            for lot_id in sorted({unit.lot_id for unit in chosen if unit.is_by_lot}):
                await self._withdrawals.spread(tx, merchant_id, lot_id, reason)
        return await self._withdrawals.move(tx, [unit.unit_id for unit in chosen], action, reason)
