from collections.abc import Mapping

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
from risk.assessments.domain import CHALLENGE_WITHOUT_CONTACT, RULES_TOLD_MAX, Assessment
from risk.rules.domain import Action, Limits

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
