from lockstock.risk.v1.assessment_events_pb2 import (
    DECISION_ALLOW,
    DECISION_DECLINE,
    DECISION_HOLD,
    Decision,
    OrderAssessed,
)
from risk.challenges.domain import Challenge, ChallengeStatus
from risk.review_policies.domain import FallBack


def challenge_ended(challenge: Challenge, fall_back: FallBack) -> OrderAssessed:
    """A second assessment of the order: the code was shown, or what is done without it."""
    return OrderAssessed(
        assessment_id=str(challenge.id),
        order_id=str(challenge.order_id),
        merchant_id=str(challenge.merchant_id),
        decision=_decision(challenge, fall_back),
        note="the buyer showed the code"
        if challenge.status is ChallengeStatus.PASSED
        else challenge.why_ended,
    )


def _decision(challenge: Challenge, fall_back: FallBack) -> Decision:
    if challenge.status is ChallengeStatus.PASSED:
        return DECISION_ALLOW
    return DECISION_DECLINE if fall_back is FallBack.DECLINE else DECISION_HOLD
