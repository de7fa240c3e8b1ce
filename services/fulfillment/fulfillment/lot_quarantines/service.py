"""Lots whose claims are out of line are stopped in the vault; a person puts them back."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from fulfillment.claim_policies.domain import ClaimPolicy
from fulfillment.lot_quarantines import events, repository
from fulfillment.lot_quarantines.domain import (
    LotBeingRestored,
    LotFigures,
    LotNotQuarantined,
    LotQuarantine,
    LotQuarantineNotFound,
    QuarantineState,
    is_out_of_line,
    lower_bound,
)
from fulfillment.vault import Refused, Vault
from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.ids import new_id
from kit.logging import get_logger
from kit.messaging import outbox

log = get_logger(__name__)

NOT_ON_SHELF = "not_on_shelf"


class LotQuarantineService:
    def __init__(self, vault: Vault, *, lease: timedelta) -> None:
        self._vault = vault
        self._lease = lease

    async def consider(
        self, tx: Transaction, found: Sequence[tuple[LotFigures, ClaimPolicy]]
    ) -> list[UUID]:
        """Notes the lots that are to be stopped, each once until it is put back; answers them."""
        due = [
            (figures, lower_bound(figures.claims, figures.sold), policy.lot_norm)
            for figures, policy in {
                figures.lot_id: (figures, policy) for figures, policy in found
            }.values()
            if policy.watches_lots
            and is_out_of_line(figures, claims_min=policy.lot_claims_min, norm=policy.lot_norm)
        ]
        if not due:
            return []
        added = await repository.add(tx, due)
        for lot in added:
            log.warning("lot_out_of_line", lot_id=str(lot.lot_id), claims=lot.claims, sold=lot.sold)
        return [lot.lot_id for lot in added]

    async def carry_out(self, db: Database) -> bool:
        """Tells the vault of a lot that is to be stopped; True while more may wait. Of one that
        does not answer a lot is told again when its lease ends: the same changes nothing there.

        One lot at a time, so that the lease is about one call: told late, after another worker told
        it and a person put the lot back, the vault would stop it again.
        """
        async with db.transaction() as tx:
            lot = await repository.take_due(tx, lease=self._lease)
        if lot is None:
            return False
        try:
            answer = await self._vault.quarantine_lot(lot.merchant_id, lot.lot_id, lot.reason)
        except Unavailable as error:
            log.warning("lot_waits", lot_id=str(lot.lot_id), why=error.code)
            return False
        await self._settle(db, lot, answer)
        return True

    async def _settle(self, db: Database, lot: LotQuarantine, answer: Refused | None) -> None:
        state = QuarantineState.QUARANTINED
        if answer is not None and answer.code != NOT_ON_SHELF:
            log.error("lot_not_stopped", lot_id=str(lot.lot_id), code=answer.code)
            state = QuarantineState.MISSED
        async with db.transaction() as tx:
            is_new = await repository.settle(tx, lot.lot_id, lot.round, state)
            if is_new and state is QuarantineState.QUARANTINED:
                message = events.lot_quarantined(lot)
                outbox.add(tx, message, key=lot.order_id, merchant_id=lot.merchant_id)

    async def restore(
        self, db: Database, merchant_id: UUID, lot_id: UUID, *, reason: str, who: str
    ) -> LotQuarantine:
        """Puts the lot back on the shelf; only claims from now on count against it. The same again
        changes nothing. Raises LotQuarantineNotFound, LotNotQuarantined, LotBeingRestored,
        Unavailable.

        One call to the vault at a time: told late, after the lot was put back and stopped again,
        the vault would put it back once more.
        """
        lot = await self._get(db, merchant_id, lot_id)
        if lot.state is QuarantineState.RESTORED:
            return lot
        if lot.state is QuarantineState.DUE:
            raise LotNotQuarantined(state=lot.state.value)
        turn = new_id()
        async with db.transaction() as tx:
            mine = await repository.take_restore(tx, lot, turn, lease=self._lease)
        if not mine:
            return await self._restored_by_another(db, merchant_id, lot_id)
        await self._put_back(db, lot, turn, reason, who)
        return await self._get(db, merchant_id, lot_id)

    async def _restored_by_another(
        self, db: Database, merchant_id: UUID, lot_id: UUID
    ) -> LotQuarantine:
        lot = await self._get(db, merchant_id, lot_id)
        if lot.state is not QuarantineState.RESTORED:
            raise LotBeingRestored
        return lot

    async def _put_back(
        self, db: Database, lot: LotQuarantine, turn: UUID, reason: str, who: str
    ) -> None:
        try:
            answer = await self._vault.restore_lot(lot.merchant_id, lot.lot_id, reason)
        except Unavailable:
            # It may be on its way still: the next one waits for the lease.
            log.warning("lot_not_restored", lot_id=str(lot.lot_id))
            raise
        is_back = answer is None or answer.code == NOT_ON_SHELF
        async with db.transaction() as tx:
            if is_back:
                await repository.restore(tx, lot, turn, reason, who)
            else:
                await repository.give_up_restore(tx, lot, turn)
        if not is_back:
            raise LotNotQuarantined(state=lot.state.value)

    async def list_lots(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: str | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[LotQuarantine]:
        return await repository.list_of(tx, merchant_id, state=state, after=after, limit=limit)

    async def _get(self, db: Database, merchant_id: UUID, lot_id: UUID) -> LotQuarantine:
        async with db.read() as tx:
            found = await repository.find(tx, merchant_id, lot_id)
        if found is None:
            raise LotQuarantineNotFound
        return found
