from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from kit.db import Transaction
from ledger.accounts.domain import (
    AccountKey,
    AccountOfSettlement,
    AccountRef,
    AccountUnknown,
    is_settled,
)
from ledger.accounts.service import AccountService
from ledger.book_periods.domain import PeriodClosed
from ledger.transactions.domain import (
    AlreadyPosted,
    AlreadyReversed,
    Draft,
    PostedTransaction,
    TransactionNotFound,
    Unbalanced,
)
from ledger.transactions.repository import TransactionRepository

POSTED = Counter("lockstock_ledger_transactions", "Transactions posted")


class TransactionService:
    """Whoever posts more than once in a transaction, or locks rows of his own for it, calls
    `lock_books` first: so no two writers ever wait for each other.
    """

    def __init__(
        self,
        repository: TransactionRepository,
        accounts: AccountService,
        *,
        platform_id: UUID | None = None,
    ) -> None:
        self._repository = repository
        self._accounts = accounts
        self._platform_id = platform_id

    async def lock_books(self, tx: Transaction, merchants: Iterable[UUID]) -> None:
        """Keeps others from writing in the books of these merchants until `tx` ends.

        In one call for all of them. Only the platform's books may be locked after others.
        """
        await self._repository.lock_books(tx, set(merchants), self._platform_id)

    async def share_books(self, tx: Transaction, merchants: Iterable[UUID]) -> None:
        """Keeps out those who lock these books, and lets those in who post once."""
        await self._repository.share_books(tx, set(merchants), self._platform_id)

    async def post(self, tx: Transaction, drafts: Sequence[Draft]) -> set[UUID]:
        """Posts those whose source is new, opening accounts as needed; answers their ids.

        Raises Unbalanced naming the differences. A draft without postings is no transaction.
        """
        first: dict[tuple[UUID, str], Draft] = {}
        for draft in drafts:
            if draft.postings:
                require_balance(draft)
                first.setdefault((draft.merchant_id, draft.source), draft)
        if not first:
            return set()
        return set(await self._post(tx, list(first.values())))

    async def _post(self, tx: Transaction, drafts: Sequence[Draft]) -> dict[UUID, datetime]:
        """Answers the ids of the new ones with the time they were posted at."""
        ats = await self._repository.add_transactions(tx, drafts, self._platform_id)
        fresh = [draft for draft in drafts if draft.id in ats]
        if fresh:
            refs: dict[AccountKey, AccountRef] = {}
            for draft in fresh:
                refs |= draft.account_refs()
            accounts = await self._accounts.ids_of(tx, refs)
            await self._repository.add_postings(tx, fresh, accounts, ats)
            POSTED.inc(len(fresh))
        return ats

    async def post_exactly(self, tx: Transaction, draft: Draft) -> PostedTransaction:
        """One balanced transaction of a caller, at its own time. Raises AlreadyPosted, PeriodClosed
        when that is in a closed period, AccountOfSettlement, Overdrawn.
        """
        require_balance(draft)
        self._require_own(draft)
        ats = await self._post(tx, [draft])
        if not ats:
            raise AlreadyPosted(source=draft.source)
        if ats[draft.id] != draft.at:
            raise PeriodClosed(closed_until=ats[draft.id].isoformat())
        return await self.get_transaction(tx, draft.merchant_id, draft.id)

    async def post_by_hand(self, tx: Transaction, draft: Draft) -> PostedTransaction:
        """Raises Unbalanced, AccountUnknown for accounts nobody opened, AlreadyPosted,
        PeriodClosed, AccountOfSettlement, Overdrawn.
        """
        require_balance(draft)
        await self.require_accounts(tx, draft)
        return await self.post_exactly(tx, draft)

    async def require_accounts(self, tx: Transaction, draft: Draft) -> None:
        """Raises AccountUnknown naming the postings on accounts that nobody opened."""
        keys = list(draft.account_refs())
        known = await self._accounts.find_ids(tx, keys)
        unknown = [
            {
                "pointer": f"/postings/{position}/account",
                "code": AccountUnknown.code,
                "detail": f"no account {posting.account.code} in {posting.currency}",
            }
            for position, posting in enumerate(draft.postings)
            if draft.account_key(posting) not in known
        ]
        if unknown:
            raise AccountUnknown(errors=unknown)

    async def reverse(
        self,
        tx: Transaction,
        merchant_id: UUID,
        transaction_id: UUID,
        *,
        at: datetime,
        description: str,
    ) -> PostedTransaction:
        """Raises TransactionNotFound, AlreadyReversed, ReversalOfReversal, AccountOfSettlement,
        Overdrawn.
        """
        original = await self.get_transaction(tx, merchant_id, transaction_id)
        reversal = original.reversal(at=at, description=description)
        self._require_own(reversal)
        if not await self.post(tx, [reversal]):
            raise AlreadyReversed(transaction_id=str(transaction_id))
        return await self.get_transaction(tx, merchant_id, reversal.id)

    async def get_transaction(
        self, tx: Transaction, merchant_id: UUID, transaction_id: UUID
    ) -> PostedTransaction:
        """Raises TransactionNotFound."""
        found = await self._repository.find_transaction(tx, merchant_id, transaction_id)
        if found is None:
            raise TransactionNotFound(transaction_id=str(transaction_id))
        return found

    async def list_transactions(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        order_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[PostedTransaction]:
        """Newest first."""
        return await self._repository.list_transactions(
            tx, merchant_id, order_id=order_id, before=before, limit=limit
        )

    def _require_own(self, draft: Draft) -> None:
        """A merchant that settles with itself may correct it; a payout costs nobody else."""
        if self._platform_id not in (None, draft.merchant_id) and any(
            is_settled(posting.account.code) for posting in draft.postings
        ):
            raise AccountOfSettlement


def require_balance(draft: Draft) -> None:
    """Raises Unbalanced naming the differences."""
    differences = draft.differences()
    if not differences:
        return
    named = ", ".join(f"{total:+d} {currency}" for currency, total in differences.items())
    fault = {
        "pointer": "/postings",
        "code": Unbalanced.code,
        "detail": f"debits less credits: {named} (minor units)",
    }
    raise Unbalanced(
        f"debits and credits differ: {named} (minor units)",
        errors=[fault],
        differences=[
            {"currency": currency, "difference": total} for currency, total in differences.items()
        ],
    )
