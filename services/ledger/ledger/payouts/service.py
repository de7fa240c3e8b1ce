from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from kit.db import Database, Transaction
from kit.ids import new_id
from ledger.accounts.domain import SETTLEMENT_AVAILABLE, AccountKey
from ledger.accounts.service import AccountService
from ledger.payouts.domain import (
    Payee,
    PayeeNotFound,
    Payout,
    PayoutExceedsAvailable,
    PayoutNotFound,
    PayoutState,
)
from ledger.payouts.repository import PayoutRepository
from ledger.platform_books import PlatformBooks

EXPORT_PAGE = 500
"""Payouts per transaction of an export."""


class PayoutService:
    def __init__(
        self, repository: PayoutRepository, accounts: AccountService, books: PlatformBooks
    ) -> None:
        self._repository = repository
        self._accounts = accounts
        self._books = books

    async def propose(
        self,
        tx: Transaction,
        merchant_id: UUID,
        currency: str,
        amount_minor: int,
        by: str,
        settlement_id: UUID | None = None,
    ) -> Payout:
        """Waits for approval and posts nothing. Raises PayoutExceedsAvailable."""
        free = await self.free_minor(tx, merchant_id, currency)
        if amount_minor > free:
            raise PayoutExceedsAvailable(available=free, currency=currency)
        payee = await self._repository.find_payee(tx, merchant_id)
        now = datetime.now(UTC)
        return await self._repository.add(
            tx,
            Payout(
                id=new_id(),
                merchant_id=merchant_id,
                currency=currency,
                amount_minor=amount_minor,
                state=PayoutState.PROPOSED,
                settlement_id=settlement_id,
                created_by=by,
                created_at=now,
                changed_at=now,
            ).made_out_to(payee),
        )

    async def free_minor(self, tx: Transaction, merchant_id: UUID, currency: str) -> int:
        """What is available and not proposed already; others who ask wait until `tx` ends."""
        await self._repository.lock_balance(tx, merchant_id, currency)
        proposed = await self._repository.proposed_minor(tx, merchant_id, currency)
        return await self._available(tx, merchant_id, currency) - proposed

    async def move(
        self, tx: Transaction, payout_id: UUID, state: PayoutState, by: str, reason: str | None
    ) -> Payout:
        """To `state`, with what that posts; a payout that is there already stays as it is.

        Raises PayoutNotFound, PayoutClosed, and on approval SamePerson, PayeeNotFound and
        PayoutExceedsAvailable.
        """
        known = await self._repository.find(tx, payout_id)
        if known is None:
            raise PayoutNotFound(payout_id=str(payout_id))
        # Refunds that are under way are waited for: what they leave is what is available.
        await self._books.lock(tx, [known.merchant_id])
        payout = await self._repository.lock(tx, payout_id)
        if payout is None:
            raise PayoutNotFound(payout_id=str(payout_id))
        if payout.state is state:
            return payout
        moved = payout.moved(state, by, reason)
        if state is PayoutState.APPROVED:
            moved = moved.made_out_to(await self._repository.find_payee(tx, payout.merchant_id))
            await self._require_available(tx, moved)
        saved = await self._repository.save(tx, moved)
        draft = saved.posted(saved.changed_at)
        if draft is not None:
            await self._books.post(tx, [draft])
        return saved

    async def get_payout(
        self, tx: Transaction, merchant_id: UUID | None, payout_id: UUID
    ) -> Payout:
        """Raises PayoutNotFound; with no merchant any one's."""
        payout = await self._repository.find(tx, payout_id)
        if payout is None or merchant_id not in (None, payout.merchant_id):
            raise PayoutNotFound(payout_id=str(payout_id))
        return payout

    async def list_payouts(
        self,
        tx: Transaction,
        merchant_id: UUID | None,
        *,
        state: PayoutState | None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Payout]:
        """Newest first; with no merchant those of all."""
        return await self._repository.list_payouts(
            tx, merchant_id, state=state, before=before, limit=limit
        )

    async def export(
        self, db: Database, merchant_id: UUID | None, state: PayoutState | None
    ) -> AsyncIterator[Sequence[Payout]]:
        """All of them, page by page."""
        before: UUID | None = None
        while True:
            async with db.read() as tx:
                page = await self._repository.list_payouts(
                    tx, merchant_id, state=state, before=before, limit=EXPORT_PAGE
                )
            yield page
            if len(page) < EXPORT_PAGE:
                return
            before = page[-1].id

    async def put_payee(self, tx: Transaction, payee: Payee) -> None:
        """Payouts that are proposed already keep the payee they were proposed for."""
        await self._repository.put_payee(tx, payee)

    async def find_payee(self, tx: Transaction, merchant_id: UUID) -> Payee | None:
        return await self._repository.find_payee(tx, merchant_id)

    async def get_payee(self, tx: Transaction, merchant_id: UUID) -> Payee:
        """Raises PayeeNotFound."""
        payee = await self._repository.find_payee(tx, merchant_id)
        if payee is None:
            raise PayeeNotFound(merchant_id=str(merchant_id))
        return payee

    async def _require_available(self, tx: Transaction, payout: Payout) -> None:
        if not payout.payee_account:
            raise PayeeNotFound(merchant_id=str(payout.merchant_id))
        await self._repository.lock_balance(tx, payout.merchant_id, payout.currency)
        available = await self._available(tx, payout.merchant_id, payout.currency)
        if payout.amount_minor > available:
            raise PayoutExceedsAvailable(available=available, currency=payout.currency)

    async def _available(self, tx: Transaction, merchant_id: UUID, currency: str) -> int:
        key = AccountKey(merchant_id, SETTLEMENT_AVAILABLE.code, currency)
        return await self._accounts.balance_of(tx, key)
