from inventory_vault.audit.domain import Fact
from inventory_vault.audit.service import note
from inventory_vault.reservations.domain import Reservation, Wish
from kit.db import Transaction
from lockstock.inventory_vault.v1 import reservation_events_pb2 as messages


def reservation_released(reservation: Reservation, reason: str) -> messages.ReservationReleased:
    return messages.ReservationReleased(
        reservation_id=str(reservation.id),
        merchant_id=str(reservation.merchant_id),
        reference=reservation.reference,
        reason=reason,
    )


def reservation_expired(reservation: Reservation) -> messages.ReservationExpired:
    return messages.ReservationExpired(
        reservation_id=str(reservation.id),
        merchant_id=str(reservation.merchant_id),
        reference=reservation.reference,
    )


def note_of(
    tx: Transaction, action: str, reservation: Reservation, actor: str, **facts: Fact
) -> None:
    note(tx, action, reservation.id, merchant_id=reservation.merchant_id, actor=actor, **facts)


def note_held(tx: Transaction, reservation: Reservation, wish: Wish) -> None:
    lines: list[Fact] = [
        {"line_no": line.line_no, "pool_id": str(line.pool_id), "quantity": line.quantity}
        for line in reservation.lines
    ]
    note_of(
        tx,
        "reservation.held",
        reservation,
        wish.requested_by,
        reference=reservation.reference,
        lines=lines,
    )
