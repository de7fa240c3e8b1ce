from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from lockstock.order.v1.order_events_pb2 import OrderPlaced
from lockstock.risk.v1.assessment_events_pb2 import (
    DECISION_ALLOW,
    DECISION_CHALLENGE,
    DECISION_DECLINE,
    DECISION_HOLD,
    Decision,
    FiredRule,
    OrderAssessed,
    OrderLimits,
)
from risk.assessments.domain import (
    CHALLENGE_WITHOUT_CONTACT,
    RULES_TOLD_MAX,
    Assessment,
    StoredAssessment,
)
from risk.rules.domain import Action, Limits
from risk.velocity.domain import Purchase, PurchasedLine, PurchaseSource

_DECISIONS: Mapping[Action, Decision] = {
    Action.ALLOW: DECISION_ALLOW,
    Action.CHALLENGE: DECISION_CHALLENGE,
    Action.HOLD: DECISION_HOLD,
    Action.DECLINE: DECISION_DECLINE,
}


def order_assessed(assessment: Assessment) -> OrderAssessed:
    """The decision with the rules that made it; shadow rules stay inside."""
    return OrderAssessed(
        assessment_id=str(assessment.id),
        order_id=str(assessment.purchase.id),
        merchant_id=str(assessment.purchase.merchant_id),
        decision=_DECISIONS[assessment.decision],
        rules=[
            FiredRule(
                rule_id=str(outcome.rule_id),
                version=outcome.version,
                name=outcome.name,
                explanation=outcome.explain(),
            )
            for outcome in assessment.deciding[:RULES_TOLD_MAX]
        ],
        limits=_limits(assessment.limits),
        note=CHALLENGE_WITHOUT_CONTACT if assessment.lacks_contact else "",
        challenge_id=str(assessment.id) if assessment.decision is Action.CHALLENGE else "",
    )


def _limits(limits: Limits) -> OrderLimits | None:
    if limits == Limits():
        return None
    return OrderLimits(quantity_max=limits.quantity_max, hold_seconds=limits.hold_seconds)


def order_allowed(stored: StoredAssessment) -> OrderAssessed:
    """A decision that was recorded before: nothing held the order."""
    return OrderAssessed(
        assessment_id=str(stored.id),
        order_id=str(stored.purchase_id),
        merchant_id=str(stored.merchant_id),
        decision=DECISION_ALLOW,
    )


def purchase_of(placed: OrderPlaced, at: datetime) -> Purchase:
    """The order as the rules see it."""
    customer = placed.customer
    return Purchase(
        id=UUID(placed.order_id),
        merchant_id=UUID(placed.merchant_id),
        source=PurchaseSource.ORDER,
        at=at,
        channel_id=placed.channel_id,
        reference=placed.reference,
        customer_id=customer.id,
        ip=customer.ip,
        device_id=customer.device_id,
        contact_hash=customer.contact_hash,
        payer_hash=customer.payer_hash,
        registered_at=_moment(customer.registered_at)
        if customer.HasField("registered_at")
        else None,
        amount_minor=placed.total.amount_minor,
        currency=placed.total.currency,
        lines=tuple(
            PurchasedLine(line.sku, line.quantity, line.product_id, line.total.amount_minor)
            for line in placed.lines
        ),
        contact_hashes=tuple(customer.contact_hashes),
        is_paid=placed.is_paid,
    )


def _moment(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)
