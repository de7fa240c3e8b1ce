"""What a claim about a delivered unit does to its order. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kit.money import Money
from order.lines.domain import Line, LineStatus
from order.orders.domain import Change
from order.payments import domain as money
from order.refunds.domain import LineWanted, RefundWanted


class ClaimOutcome(StrEnum):
    REPLACED = "replaced"
    REFUNDED = "refunded"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class OpenedClaim:
    """Somebody says that a unit is bad."""

    claim_id: UUID
    line_id: UUID
    unit_id: str
    lot_id: str
    reason: str
    opened_by: str


@dataclass(frozen=True, slots=True)
class DecidedClaim:
    """How a claim ended. `position` says which unit of its line it is about, from 1."""

    claim_id: UUID
    line_id: UUID
    delivery_id: UUID
    unit_id: str
    lot_id: str
    outcome: ClaimOutcome
    reason: str
    decided_by: str
    position: int
    replacement: tuple[str, str, str] | None = None  # unit, mask, lot


def note_opened(change: Change, claim: OpenedClaim) -> Change:
    return change.told(
        "claim_opened",
        f"a unit is reported as bad: {claim.reason}",
        claim_id=str(claim.claim_id),
        line_id=str(claim.line_id),
        unit_id=claim.unit_id,
        lot_id=claim.lot_id,
        reason=claim.reason,
        opened_by=claim.opened_by,
    )


def settle(change: Change, claim: DecidedClaim) -> Change:
    """Told with its reason; what is to be refunded is owed from now on."""
    new = claim.replacement
    more = {"replacement_unit_id": new[0], "replacement_lot_id": new[2]} if new else {}
    change = change.told(
        f"claim_{claim.outcome.value}",
        f"a claim is {claim.outcome.value}" + (f": {claim.reason}" if claim.reason else ""),
        claim_id=str(claim.claim_id),
        line_id=str(claim.line_id),
        unit_id=claim.unit_id,
        lot_id=claim.lot_id,
        reason=claim.reason,
        decided_by=claim.decided_by,
        **more,
    )
    return _refund(change, claim) if claim.outcome is ClaimOutcome.REFUNDED else change


def _refund(change: Change, claim: DecidedClaim) -> Change:
    """The unit's share of its line, or what is left of the line when that is less."""
    line = next((it for it in change.order.lines if it.id == claim.line_id), None)
    amount = share_of(line, claim.position) if line else None
    if line is None or amount is None or amount.amount_minor == 0:
        return change.told(
            "claim_refund_empty",
            "nothing of the unit's price is left to go back",
            claim_id=str(claim.claim_id),
            line_id=str(claim.line_id),
        )
    wanted = RefundWanted(
        request_id=claim.claim_id,
        reason=f"a bad unit: {claim.reason}" if claim.reason else "a bad unit",
        asked_by=f"claim:{claim.claim_id}",
        lines=(LineWanted(line.id, amount=amount),),
    )
    return money.refund(change, wanted)


def share_of(line: Line, position: int) -> Money:
    """What one unit of the line may get back. The shares of all its units are its total, to the
    cent; never more than was not asked back yet, and nothing of a line that was not delivered.
    """
    if line.status is not LineStatus.DELIVERED:
        return Money(0, line.total.currency)
    total, quantity = line.total.amount_minor, line.quantity
    place = min(max(position, 1), quantity)
    share = total * place // quantity - total * (place - 1) // quantity
    return Money(min(share, line.refundable.amount_minor), line.total.currency)


def latest(claims: Sequence[DecidedClaim]) -> Mapping[str, tuple[str, str]]:
    """Per bad unit the unit and mask that the buyer has instead by now: a replacement may have been
    replaced as well.
    """
    given = {it.unit_id: it.replacement for it in claims if it.replacement is not None}
    found: dict[str, tuple[str, str]] = {}
    for unit_id, new in given.items():
        while new[0] in given:
            new = given[new[0]]
        found[unit_id] = new[:2]
    return found
