from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from ledger.accounts.domain import AccountKey, AccountRef
from ledger.accounts.service import AccountService
from ledger.pending_transactions.domain import (
    PendingNotFound,
    PendingResolved,
    PendingState,
    PendingTransaction,
)
from ledger.pending_transactions.repository import PendingRepository
from ledger.transactions.domain import AlreadyPosted, Draft, PostedTransaction, Posting
from ledger.transactions.service import TransactionService, require_balance


class PendingService:
    """Two-phase transactions: reserved now, posted or voided later, once."""

    def __init__(
        self, repository: PendingRepository, accounts: AccountService, posted: TransactionService
    ) -> None:
        self._repository = repository
        self._accounts = accounts
        self._posted = posted

    async def reserve(self, tx: Transaction, drafts: Sequence[Draft]) -> set[UUID]:
        """Reserves those whose source is new, opening accounts as needed; answers their ids.

        Raises Unbalanced, and Overdrawn when an account that is never overdrawn would be.
        """
        first: dict[tuple[UUID, str], Draft] = {}
        for draft in drafts:
            if draft.postings:
                require_balance(draft)
                first.setdefault((draft.merchant_id, draft.source), draft)
        if not first:
            return set()
        await self._posted.lock_books(tx, (merchant_id for merchant_id, _ in first))
        fresh_ids = await self._repository.add_many(tx, list(first.values()))
        fresh = [draft for draft in first.values() if draft.id in fresh_ids]
        if fresh:
            refs: dict[AccountKey, AccountRef] = {}
            for draft in fresh:
                refs |= draft.account_refs()
            accounts = await self._accounts.ids_of(tx, refs)
            await self._repository.add_postings(tx, fresh, accounts)
        return fresh_ids

    async def reserve_by_hand(self, tx: Transaction, draft: Draft) -> PendingTransaction:
        """Raises Unbalanced, AccountUnknown, AlreadyPosted, Overdrawn."""
        require_balance(draft)
        await self._posted.require_accounts(tx, draft)
        if not await self.reserve(tx, [draft]):
            raise AlreadyPosted(source=draft.source)
        return await self.get(tx, draft.merchant_id, draft.id)

    async def post(
        self,
        tx: Transaction,
        merchant_id: UUID,
        pending_id: UUID,
        *,
        at: datetime,
        postings: Sequence[Posting] | None = None,
    ) -> PostedTransaction:
        """Its postings count from now on; `postings` are posted instead of them, balanced too.

        Raises PendingNotFound, PendingResolved, Unbalanced, AccountUnknown, PeriodClosed,
        Overdrawn.
        """
        pending = await self._lock(tx, merchant_id, pending_id)
        draft = pending.posted(at, postings)
        require_balance(draft)
        if postings is not None:
            await self._posted.require_accounts(tx, draft)
        # First what it reserved is freed, then it is posted: it is never counted twice.
        await self._repository.resolve(tx, pending_id, PendingState.POSTED, transaction_id=draft.id)
        return await self._posted.post_exactly(tx, draft)

    async def void(
        self, tx: Transaction, merchant_id: UUID, pending_id: UUID, *, reason: str
    ) -> PendingTransaction:
        """What it reserved is free again. Raises PendingNotFound, PendingResolved."""
        await self._lock(tx, merchant_id, pending_id)
        await self._repository.resolve(tx, pending_id, PendingState.VOIDED, reason=reason)
        return await self.get(tx, merchant_id, pending_id)

    async def get(self, tx: Transaction, merchant_id: UUID, pending_id: UUID) -> PendingTransaction:
        """Raises PendingNotFound."""
        found = await self._repository.find(tx, merchant_id, pending_id)
        if found is None:
            raise PendingNotFound(pending_transaction_id=str(pending_id))
        return found

    async def list_pending(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: PendingState | None,
        before: UUID | None,
        limit: int,
    ) -> list[PendingTransaction]:
        """Newest first."""
        return await self._repository.list_pending(
            tx, merchant_id, state=state, before=before, limit=limit
        )

    async def _lock(
        self, tx: Transaction, merchant_id: UUID, pending_id: UUID
    ) -> PendingTransaction:
        # It moves balances, when it is posted twice: books come before rows in them.
        await self._posted.lock_books(tx, [merchant_id])
        found = await self._repository.lock(tx, merchant_id, pending_id)
        if found is None:
            raise PendingNotFound(pending_transaction_id=str(pending_id))
        if found.state is not PendingState.PENDING:
            raise PendingResolved(pending_transaction_id=str(pending_id), state=found.state.value)
        return found
