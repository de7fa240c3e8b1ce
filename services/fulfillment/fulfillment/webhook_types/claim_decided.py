"""A claim has come to its end: another unit, the money, or a no."""

from typing import Any

from fulfillment.webhook_type import WebhookType
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided

_OUTCOMES = {
    ClaimDecided.OUTCOME_REPLACED: "replaced",
    ClaimDecided.OUTCOME_REFUNDED: "refunded",
    ClaimDecided.OUTCOME_REFUSED: "refused",
    ClaimDecided.OUTCOME_WITHDRAWN: "withdrawn",
}


def data(event: ClaimDecided) -> dict[str, Any]:
    return {
        "claim_id": event.claim_id,
        "order_id": event.order_id,
        "delivery_id": event.delivery_id,
        "line_id": event.line_id,
        "unit_id": event.unit_id,
        "status": _OUTCOMES.get(event.outcome, "decided"),
        "replacement_unit_id": event.replacement.unit_id or None,
    }


WEBHOOK = WebhookType("claim.decided", __doc__, ClaimDecided, data)
