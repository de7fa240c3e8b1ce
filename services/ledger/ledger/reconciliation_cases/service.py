from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from ledger.posting_rules.kinds.reconciliation.domain import Rounded, statement_rounded
from ledger.reconciliation_cases.domain import (
    Case,
    CaseClosed,
    CaseNotFound,
    CaseState,
    Difference,
    RoundingPosted,
    beyond,
)
from ledger.reconciliation_cases.repository import ReconciliationCaseRepository
from ledger.transactions.service import TransactionService

CASES_TOGETHER = 2_000


class ReconciliationCaseService:
    """`rounding_max`: how much may be closed as rounding; minor units."""

    def __init__(
        self,
        repository: ReconciliationCaseRepository,
        transactions: TransactionService,
        *,
        rounding_max: int,
    ) -> None:
        self._repository = repository
        self._transactions = transactions
        self._rounding_max = rounding_max

    async def open_many(
        self,
        tx: Transaction,
        merchant_id: UUID,
        source: str,
        reconciliation_id: UUID | None,
        differences: Sequence[Difference],
    ) -> None:
        """Those that are not known yet."""
        for start in range(0, len(differences), CASES_TOGETHER):
            together = differences[start : start + CASES_TOGETHER]
            await self._repository.add(tx, merchant_id, source, reconciliation_id, together)

    async def list_cases(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: CaseState | None,
        reconciliation_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[Case]:
        """Newest first."""
        return await self._repository.list_cases(
            tx,
            merchant_id,
            state=state,
            reconciliation_id=reconciliation_id,
            before=before,
            limit=limit,
        )

    async def close(
        self,
        tx: Transaction,
        merchant_id: UUID,
        case_id: UUID,
        *,
        by: str,
        reason: str,
        as_rounding: bool,
    ) -> Case:
        """Once. Raises CaseNotFound, CaseClosed; as rounding, which posts the difference, also
        NotRounding, RoundingPosted.
        """
        if as_rounding:
            await self._transactions.lock_books(tx, [merchant_id])
        found = await self._get(tx, merchant_id, case_id)
        posted = None
        if as_rounding and found.state is CaseState.OPEN:
            posted = await self._round(tx, merchant_id, found)
        is_closed_now = await self._repository.close(
            tx, merchant_id, case_id, by=by, reason=reason, transaction_id=posted
        )
        found = await self._get(tx, merchant_id, case_id)
        if not is_closed_now:
            raise CaseClosed(closed_by=found.closed_by, reason=found.reason)
        return found

    async def _get(self, tx: Transaction, merchant_id: UUID, case_id: UUID) -> Case:
        found = await self._repository.find_case(tx, merchant_id, case_id)
        if found is None:
            raise CaseNotFound
        return found

    async def _round(self, tx: Transaction, merchant_id: UUID, case: Case) -> UUID:
        paid = await self._repository.paid_here(tx, case.id)
        draft = statement_rounded(
            Rounded(
                merchant_id=merchant_id,
                beyond=beyond(case, paid, self._rounding_max),
                channel_id=paid[0].channel_id,
                order_id=paid[0].order_id,
                at=await self._repository.now(tx),
            )
        )
        if not await self._transactions.post(tx, [draft]):
            raise RoundingPosted
        return draft.id
