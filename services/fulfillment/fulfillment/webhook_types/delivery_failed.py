"""A line was definitely not delivered; its money goes back or it is tried in another way."""

from typing import Any

from fulfillment.webhook_type import WebhookType, short
from lockstock.fulfillment.v1.delivery_events_pb2 import LineFailed


def data(event: LineFailed) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "delivery_id": event.delivery_id,
        "line_id": event.line_id,
        "status": "failed",
        "reason": short(event.reason),
    }


WEBHOOK = WebhookType("delivery.failed", __doc__, LineFailed, data)
