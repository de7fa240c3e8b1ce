"""Who claims what of a hold, and how many of its units are sold by that."""

from dataclasses import dataclass
from uuid import UUID

from inventory_vault.reservations.domain import Reservation, ReservationSold, ReservationStatus
from kit.errors import DomainError, Invalid


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims what. With a key the units are handed out re-sealed to it."""

    reservation_id: UUID
    merchant_id: UUID
    recipient_public_key: bytes | None
    requested_by: str
    # (line_no, units) to be sold, the rest goes back; None: all that is held.
    lines: tuple[tuple[int, int], ...] | None = None

    def quantities_of(self, reservation: Reservation) -> "tuple[int, ...] | ClaimExceedsHold":
        """Units to be sold per line of the reservation."""
        if self.lines is None:
            return reservation.quantities
        wanted = dict(self.lines)
        held = {line.line_no: line.quantity for line in reservation.lines}
        for line_no, quantity in wanted.items():
            if quantity > held.get(line_no, 0):
                return ClaimExceedsHold(
                    line_no=line_no, requested=quantity, held=held.get(line_no, 0)
                )
        return tuple(wanted.get(line.line_no, 0) for line in reservation.lines)


class ClaimExceedsHold(Invalid):
    """More units of a line are claimed than it holds."""

    code = "claim_exceeds_hold"


def agreed(
    claim: Claim, found: Reservation | DomainError, decided: dict[UUID, tuple[int, ...]]
) -> Reservation | DomainError:
    """A reservation is sold in one way: as it was, or as the first of these claims says."""
    if isinstance(found, DomainError):
        return found
    quantities = claim.quantities_of(found)
    if isinstance(quantities, DomainError):
        return quantities
    way = found.sold if found.status is ReservationStatus.SOLD else quantities
    if decided.setdefault(found.id, way) != quantities:
        return ReservationSold()
    return found
