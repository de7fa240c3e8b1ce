from collections.abc import Container, Sequence
from dataclasses import replace
from uuid import UUID

from inventory_vault.audit.service import SYSTEM
from inventory_vault.budgets.service import BudgetService
from inventory_vault.planning.service import (
    Plan,
    draw,
    out_of_stock,
    plan_for,
    pool_missing,
    wanted_of,
)
from inventory_vault.quotas.service import QuotaService
from inventory_vault.reservations import events, repository
from inventory_vault.reservations.domain import (
    HOLD_SECONDS_TOTAL_MAX,
    HoldTooLong,
    OutOfStock,
    ReferenceReused,
    ReferenceTaken,
    Reservation,
    ReservationNotFound,
    ReservationSecured,
    ReservationSold,
    ReservationStatus,
    Wish,
    claimable,
    first_together,
    units_in,
)
from inventory_vault.shelves.service import ShelfService
from kit.db import Transaction
from kit.errors import DomainError
from kit.ids import new_id
from kit.messaging import outbox

EXPIRE_BATCH = 200


class ReservationService:
    """Holds, until they are sold or end. Every method serves many at once with a constant number of
    statements; each item succeeds or fails by itself, its error standing in its place.
    """

    def __init__(self, shelves: ShelfService, budgets: BudgetService, quotas: QuotaService) -> None:
        self._shelves = shelves
        self._budgets = budgets
        self._quotas = quotas

    async def reserve(
        self, tx: Transaction, wishes: Sequence[Wish], *, expects_repeats: bool = True
    ) -> list[Reservation | DomainError]:
        """Each wish wholly or not at all, for as many of the first wishes as one transaction should
        carry; the caller comes again with the rest. A repeated reference answers its reservation
        as it is now, ReferenceReused if the lines differ. Raises ReferenceTaken when a reference is
        taken that was not found before, at the latest when `tx` commits: the caller rolls back and
        asks again, expecting repeats. Not to expect them saves the look, at the price of doing the
        work twice when there are some.
        """
        wishes = first_together(wishes, lambda wish: wish.quantity)
        shelves = await self._shelves.open(
            tx, {line.pool_id for wish in wishes for line in wish.lines}
        )
        known: dict[tuple[UUID, str], Reservation] = {}
        if expects_repeats:
            known = await self._known(tx, wishes)
        refusals: dict[int, DomainError] = {}
        fresh = [
            (place, new_id(), wish) for place, wish in enumerate(wishes) if wish.name not in known
        ]
        named = [(id_, wish) for _, id_, wish in fresh]
        plan = await plan_for(tx, self._budgets, self._quotas, shelves, named)
        await self._reserve_any(tx, plan, fresh, known, refusals)
        for place, reservation_id, wish in fresh:
            if not wish.is_choosy or wish.name in known:
                continue
            answer = await self._reserve_fitting(tx, plan, reservation_id, wish)
            if isinstance(answer, Reservation):
                known[wish.name] = answer
            else:
                refusals[place] = answer
        # What is reserved already is not to be refused, nor others for its sake.
        if refusals and not expects_repeats and await self._known(tx, wishes, but=known):
            raise ReferenceTaken
        return [
            refusals[place] if place in refusals else _answer_to(wish, known[wish.name])
            for place, wish in enumerate(wishes)
        ]

    async def _known(
        self, tx: Transaction, wishes: Sequence[Wish], *, but: Container[tuple[UUID, str]] = ()
    ) -> dict[tuple[UUID, str], Reservation]:
        """Reservations under the references of `wishes`. Read after the pools' locks: a twin that
        was being served has committed by now and is seen.
        """
        names = [wish.name for wish in wishes if wish.name not in but]
        return await repository.find_by_reference(tx, names)

    async def _reserve_any(
        self,
        tx: Transaction,
        plan: Plan,
        fresh: Sequence[tuple[int, UUID, Wish]],
        known: dict[tuple[UUID, str], Reservation],
        refusals: dict[int, DomainError],
    ) -> None:
        """Wishes for any units that are valid now, all of them together; what becomes of each is
        written to `known` and `refusals`.
        """
        new: list[tuple[UUID, Wish]] = []
        named = set(known)
        for place, reservation_id, wish in fresh:
            if wish.is_choosy or wish.name in named:
                continue
            refusal = draw(plan, reservation_id, wish)
            if refusal is None:
                new.append((reservation_id, wish))
                named.add(wish.name)
            else:
                # Its own only: a twin of this reference may wish for other lines.
                refusals[place] = refusal
        if new:
            await self._shelves.take(tx, plan.shelves)
            for held in await self._add(tx, plan, new):
                known[held.name] = held

    async def _reserve_fitting(
        self, tx: Transaction, plan: Plan, reservation_id: UUID, wish: Wish
    ) -> Reservation | DomainError:
        """A wish that asks for a validity or leaves lots out, by itself: wholly or undone."""
        refusal = (
            pool_missing(plan.shelves, wish)
            or plan.quota_refusal(reservation_id, wish)
            or plan.budget_refusal(reservation_id)
        )
        if refusal is not None:
            return refusal
        try:
            async with tx.savepoint():
                wanted = wanted_of(reservation_id, wish)
                short = await self._shelves.take_fitting(tx, plan.shelves, wanted)
                if short:
                    raise out_of_stock(short)
                plan.count(reservation_id, wish)
                [reservation] = await self._add(tx, plan, [(reservation_id, wish)])
                return reservation
        except OutOfStock as error:
            return error

    async def _add(
        self, tx: Transaction, plan: Plan, new: Sequence[tuple[UUID, Wish]]
    ) -> list[Reservation]:
        held = repository.add(tx, new, plan.shelves.at, plan.counted)
        await self._budgets.write(
            tx,
            [
                (reservation.id, reservation.merchant_id, plan.shares[reservation.id])
                for reservation in held
                if reservation.id in plan.shares
            ],
        )
        await self._quotas.write(
            tx,
            [
                (reservation_id, pool_id, wish.merchant_id, wish.channel_id, units)
                for reservation_id, wish in new
                if wish.channel_id is not None
                for pool_id, units in plan.uses.get(reservation_id, ())
            ],
        )
        for (_, wish), reservation in zip(new, held, strict=True):
            events.note_held(tx, reservation, wish)
        return held

    async def extend(
        self,
        tx: Transaction,
        merchant_id: UUID,
        reservation_id: UUID,
        hold_seconds: int,
        *,
        requested_by: str,
    ) -> Reservation:
        """Held for so long from now on. Like a claim it comes in time until the sweeper was there.

        Raises ReservationNotFound, HoldTooLong, and of what is not held ReservationSecured,
        ReservationSold, ReservationExpired, ReservationReleased.
        """
        locked = await repository.lock(tx, [reservation_id])
        found = claimable(merchant_id, locked.get(reservation_id))
        if isinstance(found, DomainError):
            raise found
        if found.status is ReservationStatus.SECURED:
            raise ReservationSecured
        if found.status is ReservationStatus.SOLD:
            raise ReservationSold
        until = await repository.extend(tx, found.id, hold_seconds, HOLD_SECONDS_TOTAL_MAX)
        if until is None:
            raise HoldTooLong
        events.note_of(
            tx, "reservation.extended", found, requested_by, expires_at=until.isoformat()
        )
        return replace(found, expires_at=until)

    async def release(
        self,
        tx: Transaction,
        merchant_id: UUID,
        reservation_id: UUID,
        reason: str,
        *,
        requested_by: str,
    ) -> Reservation:
        """Gives the units back; releasing again, or after the time ran out, changes nothing.

        Raises ReservationNotFound, ReservationSold.
        """
        locked = await repository.lock(tx, [reservation_id])
        found = locked.get(reservation_id)
        if found is None or found.merchant_id != merchant_id:
            raise ReservationNotFound
        if found.status is ReservationStatus.SOLD:
            raise ReservationSold
        await self._release(tx, [(found, reason)], requested_by)
        return await self.get(tx, merchant_id, reservation_id)

    async def release_many(self, tx: Transaction, reasons: dict[UUID, str]) -> None:
        """As `release`, for events: what is sold or unknown stays as it is."""
        locked = await repository.lock(tx, list(reasons))
        ended = [(found, reasons[found.id]) for found in locked.values()]
        await self._release(tx, ended, SYSTEM)

    async def secure_many(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> None:
        """held -> secured: paid for, so no time limit. What is no longer held stays as it is."""
        locked = await repository.lock(tx, reservation_ids)
        held = [r for r in locked.values() if r.status is ReservationStatus.HELD]
        if held:
            await self.settle(tx, held, ReservationStatus.SECURED)
        for reservation in held:
            events.note_of(tx, "reservation.secured", reservation, SYSTEM)

    async def expire_due(self, tx: Transaction) -> bool:
        """Takes back holds past their time, a bounded number; True while more may wait."""
        due = await repository.lock_due(tx, EXPIRE_BATCH)
        batch = first_together(due, units_in)
        await self._expire(tx, batch)
        return len(batch) < len(due) or len(due) == EXPIRE_BATCH

    async def get(self, tx: Transaction, merchant_id: UUID, reservation_id: UUID) -> Reservation:
        """Raises ReservationNotFound."""
        found = await repository.find(tx, merchant_id, reservation_id)
        if found is None:
            raise ReservationNotFound
        return found

    async def lock(self, tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Reservation]:
        """Those that exist, as nobody else changes them until `tx` ends."""
        return await repository.lock(tx, ids)

    async def settle(
        self,
        tx: Transaction,
        found: Sequence[Reservation],
        status: ReservationStatus,
        reasons: Sequence[str] | None = None,
    ) -> None:
        """What is paid for or over counts against nobody's budget any more, what is sold is used
        up.
        """
        repository.settle(tx, [r.id for r in found], status, reasons)
        counted = [r.id for r in found if r.is_budgeted]
        await self._budgets.forget(tx, counted)
        if status is ReservationStatus.SOLD:
            await self._quotas.forget(tx, counted)

    async def _release(
        self, tx: Transaction, found: Sequence[tuple[Reservation, str]], requested_by: str
    ) -> None:
        holding = [(r, reason) for r, reason in found if r.status.holds_units]
        if not holding:
            return
        await self._put_back(tx, [r for r, _ in holding])
        reasons = [reason for _, reason in holding]
        await self.settle(tx, [r for r, _ in holding], ReservationStatus.RELEASED, reasons)
        for reservation, reason in holding:
            event = events.reservation_released(reservation, reason)
            outbox.add(tx, event, key=reservation.id, merchant_id=reservation.merchant_id)
            events.note_of(tx, "reservation.released", reservation, requested_by, reason=reason)

    async def _expire(self, tx: Transaction, batch: Sequence[Reservation]) -> None:
        if not batch:
            return
        await self._put_back(tx, batch)
        await self.settle(tx, batch, ReservationStatus.EXPIRED)
        for reservation in batch:
            event = events.reservation_expired(reservation)
            outbox.add(tx, event, key=reservation.id, merchant_id=reservation.merchant_id)
            events.note_of(tx, "reservation.expired", reservation, SYSTEM)

    async def _put_back(self, tx: Transaction, batch: Sequence[Reservation]) -> None:
        pool_ids = {pool_id for reservation in batch for pool_id in reservation.pool_ids}
        await self._shelves.put_back(tx, pool_ids, [reservation.id for reservation in batch])
        await self._quotas.give_back(tx, [r.id for r in batch if r.is_budgeted])


def _answer_to(wish: Wish, found: Reservation) -> Reservation | DomainError:
    if not found.repeated_by(wish):
        return ReferenceReused(
            f"reference {wish.reference} already names a reservation with other lines",
            reservation_id=str(found.id),
        )
    return found
