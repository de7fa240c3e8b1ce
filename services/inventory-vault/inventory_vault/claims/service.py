from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.claims import events, repository
from inventory_vault.claims.domain import Claim, agreed
from inventory_vault.quotas.service import QuotaService
from inventory_vault.reservations.domain import (
    Reservation,
    ReservationStatus,
    claimable,
    first_together,
    units_in,
)
from inventory_vault.reservations.service import ReservationService
from inventory_vault.revocations.service import RevocationService
from inventory_vault.shelves.domain import TakenUnit
from inventory_vault.shelves.service import ShelfService
from inventory_vault.units.domain import UnitRevoked
from kit.db import Transaction
from kit.errors import DomainError
from kit.messaging import outbox


@dataclass(frozen=True, slots=True)
class Sale:
    """What a claim answers; `handout_id` names the log row the opener re-seals by."""

    reservation: Reservation
    units: tuple[TakenUnit, ...]
    handout_id: UUID | None


class ClaimService:
    """Sells what is held. Serves many claims at once with a constant number of statements; each
    succeeds or fails by itself, its error standing in its place.
    """

    def __init__(
        self,
        reservations: ReservationService,
        shelves: ShelfService,
        quotas: QuotaService,
        revocations: RevocationService,
    ) -> None:
        self._reservations = reservations
        self._shelves = shelves
        self._quotas = quotas
        self._revocations = revocations

    async def claim(self, tx: Transaction, claims: Sequence[Claim]) -> list[Sale | DomainError]:
        """held or secured -> sold, even past its time: the sweeper's lock decides, not the clock.
        A repeat answers the same units, ReservationSold if it asks for other quantities,
        UnitRevoked if it asks for the boxes of a sale one of whose units was revoked. Answers
        for as many of the first claims as one transaction should carry, at least one; the caller
        comes again with the rest.
        """
        locked = await self._reservations.lock(tx, [claim.reservation_id for claim in claims])
        claims = first_together(claims, lambda claim: units_in(locked.get(claim.reservation_id)))
        decided: dict[UUID, tuple[int, ...]] = {}
        verdicts = [
            agreed(claim, claimable(claim.merchant_id, locked.get(claim.reservation_id)), decided)
            for claim in claims
        ]
        await self._keep_revoked(tx, claims, verdicts)
        good = {v.id: v for v in verdicts if isinstance(v, Reservation)}
        fresh = [r for r in good.values() if r.status.holds_units]
        await self._put_rest_back(tx, fresh, decided)
        units = await self._sell(tx, fresh)
        # The first good claim decides the sale; one that was refused has no part in it.
        actors: dict[UUID, str] = {}
        for claim, verdict in zip(claims, verdicts, strict=True):
            if isinstance(verdict, Reservation):
                actors.setdefault(verdict.id, claim.requested_by)
        for reservation in fresh:
            events.note_sold(tx, reservation, units[reservation.id], actors[reservation.id])
        repeated = [r.id for r in good.values() if r.status is ReservationStatus.SOLD]
        for unit in await self._shelves.units_of(tx, repeated):
            units[unit.reservation_id].append(unit)
        handouts = await self._log_handouts(tx, claims, verdicts)
        return [
            Sale(verdict, tuple(units[verdict.id]), handouts.get(place))
            if isinstance(verdict, Reservation)
            else verdict
            for place, verdict in enumerate(verdicts)
        ]

    async def _keep_revoked(
        self,
        tx: Transaction,
        claims: Sequence[Claim],
        verdicts: list[Reservation | DomainError],
    ) -> None:
        """No box of a unit that is out of use is handed out again. A first claim has none."""
        asked = {
            place: verdict.id
            for place, verdict in enumerate(verdicts)
            if isinstance(verdict, Reservation)
            and verdict.status is ReservationStatus.SOLD
            and claims[place].recipient_public_key is not None
        }
        kept = await self._revocations.sales_with_one(tx, list(asked.values()))
        for place, reservation_id in asked.items():
            if reservation_id in kept:
                verdicts[place] = UnitRevoked()

    async def _sell(
        self, tx: Transaction, fresh: Sequence[Reservation]
    ) -> defaultdict[UUID, list[TakenUnit]]:
        units: defaultdict[UUID, list[TakenUnit]] = defaultdict(list)
        if not fresh:
            return units
        ids = [reservation.id for reservation in fresh]
        for unit in await self._shelves.sell(tx, ids):
            units[unit.reservation_id].append(unit)
        await self._reservations.settle(tx, fresh, ReservationStatus.SOLD)
        for reservation in fresh:
            for event in events.reservation_sold(reservation, units[reservation.id]):
                outbox.add(tx, event, key=reservation.id, merchant_id=reservation.merchant_id)
        return units

    async def _log_handouts(
        self,
        tx: Transaction,
        claims: Sequence[Claim],
        verdicts: Sequence[Reservation | DomainError],
    ) -> dict[int, UUID]:
        """Per place of a good claim with a recipient's key: the id of its row in the log."""
        places = [
            place
            for place, claim in enumerate(claims)
            if claim.recipient_public_key is not None and isinstance(verdicts[place], Reservation)
        ]
        if not places:
            return {}
        ids = await repository.add_handouts(tx, [claims[place] for place in places])
        for place, handout_id in zip(places, ids, strict=True):
            note(
                tx,
                "sale.handed_out",
                handout_id,
                merchant_id=claims[place].merchant_id,
                actor=claims[place].requested_by,
                reservation_id=str(claims[place].reservation_id),
                recipient_public_key=(claims[place].recipient_public_key or b"").hex(),
            )
        return dict(zip(places, ids, strict=True))

    async def _put_rest_back(
        self,
        tx: Transaction,
        fresh: Sequence[Reservation],
        decided: Mapping[UUID, tuple[int, ...]],
    ) -> None:
        """Of what is claimed partly, the other units."""
        partly = [r for r in fresh if decided[r.id] != r.quantities]
        if not partly:
            return
        await self._shelves.put_rest_back(
            tx,
            {pool_id for reservation in partly for pool_id in reservation.pool_ids},
            [
                (reservation.id, line.line_no, units)
                for reservation in partly
                for line, units in zip(reservation.lines, decided[reservation.id], strict=True)
            ],
        )
        await self._quotas.give_part_back(
            tx,
            [
                (reservation.id, line.pool_id, line.quantity - units)
                for reservation in partly
                if reservation.is_budgeted
                for line, units in zip(reservation.lines, decided[reservation.id], strict=True)
            ],
        )
        await repository.note_sold_partly(tx, {r.id: decided[r.id] for r in partly})
