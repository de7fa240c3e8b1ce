"""What suppliers owe for bad units, and what they say to it."""

from collections.abc import Sequence
from uuid import UUID

from fulfillment.claw_backs import events, repository
from fulfillment.claw_backs.domain import (
    ClawBack,
    ClawBackDecided,
    ClawBackNotFound,
    ClawBackState,
    SupplierDebt,
)
from kit.db import Transaction
from kit.messaging import outbox


class ClawBackService:
    async def note(self, tx: Transaction, noted: Sequence[ClawBack]) -> None:
        """In the transaction that replaced or refunded the units."""
        if noted:
            await repository.add(tx, noted)

    async def decide(
        self,
        tx: Transaction,
        merchant_id: UUID,
        claim_id: UUID,
        state: ClawBackState,
        *,
        reason: str,
        who: str,
    ) -> ClawBack:
        """What the supplier says, once; the same again changes nothing. The ledger follows. Raises
        ClawBackNotFound, ClawBackDecided.
        """
        is_new = await repository.decide(tx, merchant_id, claim_id, state, reason, who)
        found = await repository.find(tx, merchant_id, claim_id)
        if found is None:
            raise ClawBackNotFound
        if found.state is not state:
            raise ClawBackDecided(state=found.state.value)
        if is_new:
            message = events.claw_back_settled(found)
            outbox.add(tx, message, key=found.order_id, merchant_id=merchant_id)
        return found

    async def list_claw_backs(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        supplier: str | None,
        lot_id: UUID | None,
        state: str | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[ClawBack]:
        """Newest first."""
        return await repository.list_of(
            tx,
            merchant_id,
            supplier=supplier,
            lot_id=lot_id,
            state=state,
            after=after,
            limit=limit,
        )

    async def list_debts(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        after: tuple[str, UUID, str, str] | None,
        limit: int,
    ) -> Sequence[SupplierDebt]:
        """Summed up by supplier, lot, state and currency."""
        return await repository.list_debts(tx, merchant_id, after=after, limit=limit)
