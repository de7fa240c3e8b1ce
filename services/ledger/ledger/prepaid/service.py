from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from kit.db import Transaction
from ledger.prepaid.domain import (
    CreditLimitTooLow,
    Hold,
    HoldNotFound,
    HoldReferenceReused,
    HoldState,
    Partner,
    PartnerNotFound,
    PrepaidTooLow,
    taken,
    topped_up,
)
from ledger.prepaid.repository import PrepaidRepository
from ledger.transactions.domain import AlreadyPosted
from ledger.transactions.service import TransactionService

EXPIRED_MAX = 500
"""Holds that one transaction ends."""


class PrepaidService:
    """Everything that touches a partner's money locks the partner first, so what is available is
    exact however many callers there are.
    """

    def __init__(
        self,
        repository: PrepaidRepository,
        transactions: TransactionService,
        *,
        hold_lifetime: timedelta,
    ) -> None:
        self._repository = repository
        self._transactions = transactions
        self._hold_lifetime = hold_lifetime

    async def put_partner(
        self, tx: Transaction, merchant_id: UUID, code: str, currency: str, limit_minor: int
    ) -> Partner:
        """Opens a partner or sets its credit limit. Raises CreditLimitTooLow."""
        await self._repository.put(tx, merchant_id, code, currency, limit_minor)
        partner, _ = await self._lock(tx, merchant_id, code, currency)
        if partner.available_minor < 0 < partner.held_minor - partner.balance_minor:
            raise CreditLimitTooLow(used=partner.held_minor - partner.balance_minor)
        return partner

    async def top_up(
        self,
        tx: Transaction,
        merchant_id: UUID,
        code: str,
        currency: str,
        amount_minor: int,
        reference: str,
    ) -> Partner:
        """The partner paid in advance. Raises PartnerNotFound, AlreadyPosted for a reference that
        was topped up before.
        """
        partner, now = await self._lock(tx, merchant_id, code, currency)
        draft = topped_up(
            merchant_id=merchant_id,
            partner=code,
            currency=currency,
            amount_minor=amount_minor,
            reference=reference,
            at=now,
        )
        if not await self._transactions.post(tx, [draft]):
            raise AlreadyPosted(source=draft.source)
        return replace(partner, balance_minor=partner.balance_minor + amount_minor)

    async def hold(self, tx: Transaction, hold: Hold) -> Hold:
        """Keeps money for an order. The same reference and amount again is the same hold.

        Raises PartnerNotFound, PrepaidTooLow naming what is available, HoldReferenceReused.
        """
        partner, now = await self._lock(tx, hold.merchant_id, hold.partner, hold.currency)
        known = await self._repository.find_by_reference(
            tx, hold.merchant_id, hold.partner, hold.reference
        )
        if known is not None:
            if (known.amount_minor, known.currency) != (hold.amount_minor, hold.currency):
                raise HoldReferenceReused(hold_id=str(known.id))
            return known
        if hold.amount_minor > partner.available_minor:
            raise PrepaidTooLow(available=partner.available_minor, currency=partner.currency)
        added = await self._repository.add_hold(
            tx, replace(hold, expires_at=now + self._hold_lifetime)
        )
        if added is None:
            # The lock is the currency's: one of another currency came in between.
            raise HoldReferenceReused
        await self._repository.keep(tx, partner, hold.amount_minor)
        return added

    async def capture(
        self,
        tx: Transaction,
        merchant_id: UUID,
        code: str,
        hold_id: UUID,
        amount_minor: int | None,
    ) -> Hold:
        """Takes what is held, or less; the rest is free again. Raises HoldNotFound, HoldClosed,
        CaptureExceedsHold.
        """
        hold, partner, now = await self._lock_hold(tx, merchant_id, code, hold_id)
        captured = hold.captured(amount_minor)
        if captured is hold:
            return hold
        await self._transactions.post(tx, [taken(captured, now)])
        return await self._end(tx, partner, captured)

    async def release(self, tx: Transaction, merchant_id: UUID, code: str, hold_id: UUID) -> Hold:
        """What was held is free again. Raises HoldNotFound, HoldClosed."""
        hold, partner, _ = await self._lock_hold(tx, merchant_id, code, hold_id)
        released = hold.released()
        return hold if released is hold else await self._end(tx, partner, released)

    async def expire(self, tx: Transaction) -> int:
        """What is held for too long by the database's clock is free again; how many holds."""
        return await self._repository.expire(tx, EXPIRED_MAX)

    async def get_partner(
        self, tx: Transaction, merchant_id: UUID, code: str, currency: str
    ) -> Partner:
        """Raises PartnerNotFound."""
        partner = await self._repository.find(tx, merchant_id, code, currency)
        if partner is None:
            raise PartnerNotFound(partner=code, currency=currency)
        return partner

    async def list_partners(
        self, tx: Transaction, merchant_id: UUID, *, after: tuple[str, str], limit: int
    ) -> Sequence[Partner]:
        """By code and currency."""
        return await self._repository.list_partners(tx, merchant_id, after=after, limit=limit)

    async def get_hold(self, tx: Transaction, merchant_id: UUID, code: str, hold_id: UUID) -> Hold:
        """Raises HoldNotFound."""
        hold = await self._repository.find_hold(tx, merchant_id, code, hold_id)
        if hold is None:
            raise HoldNotFound(hold_id=str(hold_id))
        return hold

    async def _lock(
        self, tx: Transaction, merchant_id: UUID, code: str, currency: str
    ) -> tuple[Partner, datetime]:
        found = await self._repository.lock(tx, merchant_id, code, currency)
        if found is None:
            raise PartnerNotFound(partner=code, currency=currency)
        return found

    async def _lock_hold(
        self, tx: Transaction, merchant_id: UUID, code: str, hold_id: UUID
    ) -> tuple[Hold, Partner, datetime]:
        currency = (await self.get_hold(tx, merchant_id, code, hold_id)).currency
        partner, now = await self._lock(tx, merchant_id, code, currency)
        # Read again: it may have ended while we waited for the partner.
        return await self.get_hold(tx, merchant_id, code, hold_id), partner, now

    async def _end(self, tx: Transaction, partner: Partner, hold: Hold) -> Hold:
        assert hold.state is not HoldState.HELD, "it ends"
        await self._repository.keep(tx, partner, -hold.amount_minor)
        return await self._repository.end_hold(tx, hold)
