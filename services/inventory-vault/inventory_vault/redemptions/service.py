import asyncio
import hashlib
import math
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid5

from inventory_vault.alarms.service import raise_alarm
from inventory_vault.audit.service import note
from inventory_vault.redemptions import events, repository
from inventory_vault.redemptions.domain import (
    Allowance,
    Asker,
    CodeNotFound,
    CodesNotSetUp,
    Redeemable,
    Redemption,
    RedemptionNotFound,
    ReferenceReused,
    TooManyWrongCodes,
    VoucherLimitReached,
    Wish,
    amount_to_take,
)
from inventory_vault.units.domain import UnitNotFound
from inventory_vault.vouchers.domain import compact, is_valid
from inventory_vault.write_offs.domain import ExpiredVoucher
from inventory_vault.write_offs.service import expire_voucher
from kit.db import Database, Transaction
from kit.ids import new_id
from kit.messaging import outbox
from kit.money import Money
from sealing import Fingerprinter

MISS_SECONDS = 0.05
"""A code that is not found is answered after this time, whatever it failed at."""


class CodeGuard:
    """Finds units by their codes and slows down who guesses. A code lives in local variables here
    and is told to nobody; wrong ones are counted in a transaction of their own, so the guard has
    the database.
    """

    def __init__(
        self,
        db: Database,
        allowance: Allowance,
        fingerprinter_for: Callable[[UUID], Fingerprinter] | None,
    ) -> None:
        self._db = db
        self._allowance = allowance
        self._fingerprinter_for = fingerprinter_for

    async def find(self, asker: Asker, code: str, *, is_own: bool) -> UUID:
        """The unit that has this code. `is_own`: it was generated here, so a wrong check symbol is
        refused without a look at the stock. Raises CodeNotFound, TooManyWrongCodes, CodesNotSetUp.
        """
        began = time.monotonic()
        marks = self._marks(asker.merchant_id, code, is_own=is_own)
        async with self._db.read() as tx:
            unit_id, wait = await repository.find_by_code(tx, asker, self._allowance, marks)
        if wait > 0:
            raise TooManyWrongCodes(retry_after_seconds=math.ceil(wait))
        if unit_id is None:
            await self.count_wrong(asker)
            await asyncio.sleep(began + MISS_SECONDS - time.monotonic())
            raise CodeNotFound
        return unit_id

    async def count_wrong(self, asker: Asker) -> None:
        """One wrong code of caller and shop; an alarm for those whose allowance ends with it."""
        async with self._db.transaction() as tx:
            await self._count_wrong(tx, asker)

    async def count_unsold(self, asker: Asker, unit_id: UUID) -> None:
        """A right code of a unit that nobody bought: only a guesser or a thief can have it."""
        async with self._db.transaction() as tx:
            await self._count_wrong(tx, asker)
            await raise_alarm(
                tx,
                "unsold_code_shown",
                unit_id,
                merchant_id=asker.merchant_id,
                caller=asker.caller,
                shop_id=asker.shop_id,
            )

    def digest(self, merchant_id: UUID, code: str) -> bytes:
        """What an Idempotency-Key is compared by instead of the code. Raises CodesNotSetUp."""
        return self._fingerprinter(merchant_id)({"code": code})

    def _marks(self, merchant_id: UUID, code: str, *, is_own: bool) -> list[bytes]:
        """Fingerprints the unit may have: of the code to the letter, and, when the check symbol
        says that it is one of ours, as we write it.
        """
        fingerprint = self._fingerprinter(merchant_id)
        marks = [] if is_own else [fingerprint({"code": code})]
        if is_valid(code):
            marks.append(fingerprint({"code": compact(code)}))
        return marks

    def _fingerprinter(self, merchant_id: UUID) -> Fingerprinter:
        if self._fingerprinter_for is None:
            raise CodesNotSetUp
        return self._fingerprinter_for(merchant_id)

    async def _count_wrong(self, tx: Transaction, asker: Asker) -> None:
        for subject in await repository.count_wrong(tx, asker, self._allowance):
            about = uuid5(asker.merchant_id, subject)
            note(
                tx,
                "vouchers.guessing_limited",
                about,
                merchant_id=asker.merchant_id,
                actor=asker.caller,
                subject=subject,
            )
            await raise_alarm(
                tx,
                "voucher_guessing",
                about,
                merchant_id=asker.merchant_id,
                subject=subject,
                caller=asker.caller,
            )


class RedemptionService:
    """Redeems units, wholly or in part, and takes redemptions back."""

    async def redeem(self, tx: Transaction, wish: Wish) -> Redemption:
        """The redemption of this reference: made now, or by the same wish before. Calls for one
        unit take turns. Raises UnitNotFound, ReferenceReused, VoucherLimitReached, and what
        `amount_to_take` raises.
        """
        if not await repository.lock_unit(tx, wish.merchant_id, wish.unit_id):
            raise UnitNotFound
        known = await repository.find_by_reference(tx, wish.merchant_id, wish.merchant_reference)
        if known is not None:
            if not known.repeated_by(wish):
                raise ReferenceReused(redemption_id=str(known.id))
            return known
        found = await self._redeemable(tx, wish.merchant_id, wish.unit_id)
        amount = amount_to_take(found, wish)
        await self._count_use(tx, found, wish)
        done = await repository.add(tx, _row_of(found, wish, amount))
        if done is None:
            # Somebody was faster under this reference, with another unit: ours is locked.
            raise ReferenceReused
        if done.is_used_up:
            await repository.mark_redeemed(tx, found)
        outbox.add(
            tx,
            events.voucher_redeemed(done, found.pool_id),
            key=done.unit_id,
            merchant_id=done.merchant_id,
        )
        _note(tx, "voucher.redeemed", done, wish.requested_by)
        return done

    async def roll_back(
        self,
        tx: Transaction,
        merchant_id: UUID,
        redemption_id: UUID,
        *,
        reason: str,
        requested_by: str,
    ) -> Redemption:
        """Gives the amount back, once: the same again changes nothing. Of a voucher whose time is
        over, what was left before is told to the books first, so that the amount is no part of it.

        Raises RedemptionNotFound.
        """
        done = await self.get(tx, merchant_id, redemption_id)
        await repository.lock_unit(tx, merchant_id, done.unit_id)
        if await repository.add_rollback(tx, done, reason, requested_by):
            await repository.unuse(tx, done)
            found = await self._redeemable(tx, merchant_id, done.unit_id)
            if found.state == "redeemed":
                await repository.mark_redeemable(tx, found)
            if found.is_expired and done.amount and found.balance:
                left = found.balance - done.amount
                await expire_voucher(tx, _expired(found, merchant_id, left))
            outbox.add(
                tx,
                events.redemption_rolled_back(done, found),
                key=done.unit_id,
                merchant_id=merchant_id,
            )
            _note(tx, "voucher.rolled_back", done, requested_by, reason=reason)
        return await self.get(tx, merchant_id, redemption_id)

    async def get(self, tx: Transaction, merchant_id: UUID, redemption_id: UUID) -> Redemption:
        """Raises RedemptionNotFound."""
        done = await repository.find(tx, merchant_id, redemption_id)
        if done is None:
            raise RedemptionNotFound
        return done

    async def list_of(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        unit_id: UUID | None,
        reference: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Redemption]:
        """The oldest first."""
        return await repository.list_of(
            tx, merchant_id, unit_id=unit_id, reference=reference, after=after, limit=limit
        )

    async def balance(self, tx: Transaction, merchant_id: UUID, unit_id: UUID) -> Redeemable:
        """What is left of a unit. Raises UnitNotFound."""
        return await self._redeemable(tx, merchant_id, unit_id)

    async def forget_wrong_codes(self, tx: Transaction) -> bool:
        """Drops counts that limit nobody any more; True while more may wait."""
        return await repository.forget_wrong(tx) == repository.FORGET_BATCH

    async def _redeemable(self, tx: Transaction, merchant_id: UUID, unit_id: UUID) -> Redeemable:
        found = await repository.find_redeemable(tx, merchant_id, unit_id)
        if found is None:
            raise UnitNotFound
        return found

    async def _count_use(self, tx: Transaction, found: Redeemable, wish: Wish) -> None:
        """Raises VoucherLimitReached."""
        if found.terms is None:
            return
        for party, limit, party_id in (
            ("buyer", found.terms.per_buyer, wish.buyer_id),
            ("shop", found.terms.per_shop, wish.shop_id),
        ):
            if limit is None:
                continue
            user = {"merchant": wish.merchant_id, "party": party, "party_id": party_id}
            if not await repository.use(tx, found, user, limit):
                raise VoucherLimitReached(party, limit)


def digest_of(parts: bytes, code_digest: bytes) -> bytes:
    """One value for the rest of a request and the keyed digest of its code."""
    return hashlib.blake2b(parts + code_digest, digest_size=32).digest()


def _expired(found: Redeemable, merchant_id: UUID, balance: Money) -> ExpiredVoucher:
    return ExpiredVoucher(
        unit_id=found.unit_id,
        lot_id=found.lot_id,
        pool_id=found.pool_id,
        merchant_id=merchant_id,
        balance=balance,
    )


def _row_of(found: Redeemable, wish: Wish, amount: Money | None) -> dict[str, Any]:
    balance = found.balance
    left = balance - amount if balance and amount else None
    return {
        "id": new_id(),
        "merchant": wish.merchant_id,
        "reference": wish.merchant_reference,
        "unit": found.unit_id,
        "lot": found.lot_id,
        "seq": found.seq,
        "amount": amount.amount_minor if amount else None,
        "currency": amount.currency if amount else None,
        "balance": left.amount_minor if left else None,
        "whole": wish.amount is None,
        "state": found.state,
        "buyer": wish.buyer_id,
        "shop": wish.shop_id,
        "caller": wish.requested_by,
    }


def _note(tx: Transaction, action: str, done: Redemption, actor: str, **facts: str) -> None:
    note(
        tx,
        action,
        done.id,
        merchant_id=done.merchant_id,
        actor=actor,
        unit_id=str(done.unit_id),
        merchant_reference=done.merchant_reference,
        amount=done.amount.amount_minor if done.amount else None,
        currency=done.amount.currency if done.amount else None,
        **facts,
    )
