"""What this slice tells the others. Ids and masks only; never a code, nor what a buyer wrote."""

from fulfillment.claims.domain import Claim, ClaimState
from kit.money import Money
from lockstock.common.v1 import money_pb2
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClaimOpened
from lockstock.fulfillment.v1.delivery_events_pb2 import DeliveredUnit

ClaimEvent = ClaimOpened | ClaimDecided

_OUTCOMES = {
    ClaimState.REPLACED: ClaimDecided.Outcome.OUTCOME_REPLACED,
    ClaimState.REFUNDED: ClaimDecided.Outcome.OUTCOME_REFUNDED,
    ClaimState.REFUSED: ClaimDecided.Outcome.OUTCOME_REFUSED,
    ClaimState.WITHDRAWN: ClaimDecided.Outcome.OUTCOME_WITHDRAWN,
}


def claim_opened(claim: Claim) -> ClaimOpened:
    about = claim.subject
    return ClaimOpened(
        claim_id=str(claim.id),
        order_id=str(about.order_id),
        merchant_id=str(about.merchant_id),
        line_id=str(about.line_id),
        delivery_id=str(about.delivery_id),
        unit_id=str(about.unit_id),
        lot_id=str(about.lot_id),
        reason=claim.reason.value,
        opened_by=claim.opened_by,
    )


def claim_decided(claim: Claim) -> ClaimDecided:
    """Of a claim that has come to its end."""
    about = claim.subject
    message = ClaimDecided(
        claim_id=str(claim.id),
        order_id=str(about.order_id),
        merchant_id=str(about.merchant_id),
        line_id=str(about.line_id),
        delivery_id=str(about.delivery_id),
        unit_id=str(about.unit_id),
        lot_id=str(about.lot_id),
        outcome=_OUTCOMES[claim.state],
        reason=claim.decision_reason,
        decided_by=claim.decided_by or "",
        channel_id=str(about.channel_id),
        sku=about.sku,
        position=about.position,
    )
    if claim.replacement is not None:
        new = claim.replacement
        unit = DeliveredUnit(unit_id=str(new.unit_id), mask=new.mask, lot_id=str(new.lot_id))
        message.replacement.CopyFrom(unit)
        message.replacement_cost.CopyFrom(_money(new.cost))
        if new.face_value is not None:
            message.replacement_face_value.CopyFrom(_money(new.face_value))
    owed = claim.owed_by_supplier
    if owed is not None:
        message.supplier = owed.supplier
        message.claw_back.CopyFrom(_money(owed.unit_cost))
    return message


def _money(money: Money) -> money_pb2.Money:
    return money_pb2.Money(amount_minor=money.amount_minor, currency=money.currency)
