from lockstock.risk.v1.assessment_events_pb2 import (
    DECISION_ALLOW,
    DECISION_DECLINE,
    OrderAssessed,
)
from risk.reviews.domain import Review, ReviewStatus


def order_reviewed(review: Review) -> OrderAssessed:
    """A person's decision, as a second assessment of the same order."""
    return OrderAssessed(
        assessment_id=str(review.assessment_id),
        order_id=str(review.order_id),
        merchant_id=str(review.merchant_id),
        decision=DECISION_ALLOW if review.status is ReviewStatus.APPROVED else DECISION_DECLINE,
        reviewer=review.decided_by or "",
        note=review.note,
    )
