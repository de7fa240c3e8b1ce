"""Somebody says that a delivered unit is bad."""

from typing import Any

from fulfillment.webhook_type import WebhookType, short
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimOpened


def data(event: ClaimOpened) -> dict[str, Any]:
    return {
        "claim_id": event.claim_id,
        "order_id": event.order_id,
        "delivery_id": event.delivery_id,
        "line_id": event.line_id,
        "unit_id": event.unit_id,
        "status": "opened",
        "reason": short(event.reason),
    }


WEBHOOK = WebhookType("claim.opened", __doc__, ClaimOpened, data)
