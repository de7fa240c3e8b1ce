"""Opening cases and having people close them. Never silent: each is logged and told."""

from collections.abc import Sequence
from uuid import UUID

from fulfillment.cases import events
from fulfillment.cases.domain import Case, CaseClosed, CaseNotFound, SupplierAnswerUnclear
from fulfillment.cases.repository import CaseRepository
from kit.db import Transaction
from kit.logging import get_logger
from kit.messaging import outbox

log = get_logger(__name__)


class CaseService:
    def __init__(self, repository: CaseRepository) -> None:
        self._repository = repository

    async def open_many(
        self, tx: Transaction, cases: Sequence[Case], *, tell: bool = True
    ) -> set[UUID]:
        """Opens those that are not open yet, and answers their ids. `tell`: each is an event and a
        line in the log; without, the caller tells of all of them together.
        """
        if not cases:
            return set()
        opened = await self._repository.add(tx, cases)
        for case in cases if tell else ():
            if case.id in opened:
                log.error("case_opened", case_id=str(case.id), kind=case.kind, about=case.subject)
                outbox.add(tx, events.case_opened(case), key=case.id, merchant_id=case.merchant_id)
        return opened

    async def close(
        self,
        tx: Transaction,
        merchant_id: UUID,
        case_id: UUID,
        who: str,
        resolution: str,
        *,
        supplier_pays: bool | None = None,
    ) -> Case:
        """A person says what was done about it; of a claim, whether the supplier pays: the ledger
        follows. Raises CaseNotFound, CaseClosed, SupplierAnswerUnclear.
        """
        closed = await self._repository.close(tx, merchant_id, case_id, who, resolution)
        if closed is None:
            await self.get(tx, merchant_id, case_id)
            raise CaseClosed
        if closed.is_claimed != (supplier_pays is not None):
            raise SupplierAnswerUnclear
        if supplier_pays is not None:
            message = events.supplier_answered(closed, pays=supplier_pays)
            outbox.add(tx, message, key=closed.subject, merchant_id=merchant_id)
        log.info("case_closed", case_id=str(case_id), by=who)
        return closed

    async def pass_over(
        self, tx: Transaction, merchant_id: UUID, kind: str, subject: str, resolution: str
    ) -> None:
        """What it was about has passed by itself; nothing happens where no case is open."""
        await self._repository.close_all(tx, merchant_id, kind, subject, resolution)

    async def get(self, tx: Transaction, merchant_id: UUID, case_id: UUID) -> Case:
        """Raises CaseNotFound."""
        found = await self._repository.find(tx, merchant_id, case_id)
        if found is None:
            raise CaseNotFound
        return found

    async def list_cases(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        kind: str | None,
        state: str | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Case]:
        """The merchant's cases, newest first."""
        return await self._repository.list_cases(
            tx, merchant_id, kind=kind, state=state, after=after, limit=limit
        )
