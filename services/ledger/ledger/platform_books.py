"""What happens between the platform and a merchant, in the books of both."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from ledger.accounts.domain import (
    CHANNEL_FEES,
    PLATFORM_FEES,
    PLATFORM_RECEIVABLE,
    PLATFORM_REVENUE,
    SETTLEMENT_AVAILABLE,
    SETTLEMENT_PENDING,
    SETTLEMENT_RESERVED,
    AccountKind,
    AccountRef,
    merchant_payable,
)
from ledger.transactions.domain import Draft, Posting
from ledger.transactions.service import TransactionService

_STATES: Mapping[str, str] = {
    SETTLEMENT_PENDING.code: "pending",
    SETTLEMENT_AVAILABLE.code: "available",
    SETTLEMENT_RESERVED.code: "reserved",
}
_OTHERS: Mapping[AccountRef, AccountRef] = {
    PLATFORM_FEES: PLATFORM_REVENUE,
    PLATFORM_RECEIVABLE: CHANNEL_FEES,
}


class PlatformBooks:
    """Posts in the merchant's books, and the same the other way round in the platform's."""

    def __init__(self, transactions: TransactionService, platform_id: UUID | None) -> None:
        self._transactions = transactions
        self._platform_id = platform_id

    async def post(self, tx: Transaction, drafts: Sequence[Draft]) -> set[UUID]:
        """As TransactionService.post: those whose source is new."""
        mirrored = [
            mirror(draft, self._platform_id)
            for draft in drafts
            if self._platform_id is not None and draft.merchant_id != self._platform_id
        ]
        both = [*drafts, *mirrored]
        # Many merchants' postings meet in the platform's books.
        await self.lock(tx, (draft.merchant_id for draft in both))
        return await self._transactions.post(tx, both)

    async def lock(self, tx: Transaction, merchants: Iterable[UUID]) -> None:
        """Before rows are locked that postings of these merchants are made from."""
        await self._transactions.lock_books(tx, merchants)


def mirror(draft: Draft, platform_id: UUID) -> Draft:
    """The platform's side: it owes what the merchant is owed, and earns what the merchant pays."""
    return Draft(
        merchant_id=platform_id,
        source=f"{draft.merchant_id}:{draft.source}",
        at=draft.at,
        description=draft.description,
        postings=[
            Posting(
                _other_side(draft.merchant_id, posting.account),
                posting.currency,
                -posting.amount_minor,
                posting.dimensions,
            )
            for posting in draft.postings
        ],
    )


def _other_side(merchant_id: UUID, account: AccountRef) -> AccountRef:
    if state := _STATES.get(account.code):
        return AccountRef(f"{merchant_payable(merchant_id).code}:{state}", AccountKind.LIABILITY)
    return _OTHERS.get(account, account)
