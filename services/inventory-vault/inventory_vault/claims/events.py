from collections.abc import Sequence
from functools import lru_cache

from inventory_vault.audit.domain import units_digest
from inventory_vault.audit.service import note
from inventory_vault.reservations.domain import Reservation
from inventory_vault.shelves.domain import TakenUnit
from kit.db import Transaction
from lockstock.inventory_vault.v1 import reservation_events_pb2 as messages

UNITS_PER_EVENT = 5_000
"""An event of so many units has about 430 KB; a larger sale is told in several."""


def reservation_sold(
    reservation: Reservation, units: Sequence[TakenUnit]
) -> list[messages.ReservationSold]:
    name = lru_cache(str)  # units of one lot share its id
    return [
        messages.ReservationSold(
            reservation_id=str(reservation.id),
            merchant_id=str(reservation.merchant_id),
            reference=reservation.reference,
            units=[
                messages.SoldUnit(
                    unit_id=str(unit.unit_id), lot_id=name(unit.lot_id), line_no=unit.line_no
                )
                for unit in units[start : start + UNITS_PER_EVENT]
            ],
        )
        for start in range(0, len(units), UNITS_PER_EVENT)
    ]


def note_sold(
    tx: Transaction, reservation: Reservation, units: Sequence[TakenUnit], actor: str
) -> None:
    digest = units_digest(unit.unit_id for unit in units)
    note(
        tx,
        "reservation.sold",
        reservation.id,
        merchant_id=reservation.merchant_id,
        actor=actor,
        units=len(units),
        units_digest=digest,
    )
