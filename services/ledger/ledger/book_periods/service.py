from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from ledger.book_periods.domain import NotBack, NotForward, PeriodAction, PeriodChange
from ledger.book_periods.repository import PeriodRepository


class PeriodService:
    """Closes a merchant's books up to a moment, and opens them again."""

    def __init__(self, repository: PeriodRepository) -> None:
        self._repository = repository

    async def closed_until(self, tx: Transaction, merchant_id: UUID) -> datetime | None:
        return await self._repository.closed_until(tx, merchant_id)

    async def close(
        self,
        tx: Transaction,
        merchant_id: UUID,
        until: datetime,
        *,
        reason: str,
        requested_by: str,
    ) -> PeriodChange:
        """Waits for who is posting. Raises NotForward."""
        closed, now = await self._repository.lock(tx, merchant_id)
        if until > now or (closed is not None and until <= closed):
            raise NotForward(errors=[_fault(NotForward.code)])
        return await self._repository.move(
            tx,
            merchant_id,
            PeriodAction.CLOSE,
            until=until,
            before=closed,
            reason=reason,
            requested_by=requested_by,
        )

    async def reopen(
        self,
        tx: Transaction,
        merchant_id: UUID,
        until: datetime | None,
        *,
        reason: str,
        requested_by: str,
    ) -> PeriodChange:
        """What is before `until` stays closed; None opens all. Raises NotBack."""
        closed, _ = await self._repository.lock(tx, merchant_id)
        if closed is None or (until is not None and until >= closed):
            raise NotBack(errors=[_fault(NotBack.code)])
        return await self._repository.move(
            tx,
            merchant_id,
            PeriodAction.REOPEN,
            until=until,
            before=closed,
            reason=reason,
            requested_by=requested_by,
        )

    async def list_changes(
        self, tx: Transaction, merchant_id: UUID, *, before: UUID | None, limit: int
    ) -> list[PeriodChange]:
        """Newest first."""
        return await self._repository.list_changes(tx, merchant_id, before=before, limit=limit)


def _fault(code: str) -> dict[str, str]:
    return {"pointer": "/until", "code": code, "detail": code.replace("_", " ")}
