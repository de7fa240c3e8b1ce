"""Nobody can tell yet whether a line was delivered; it is being asked for."""

from typing import Any

from fulfillment.webhook_type import WebhookType, short
from lockstock.fulfillment.v1.delivery_events_pb2 import LineUnknown


def data(event: LineUnknown) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "delivery_id": event.delivery_id,
        "line_id": event.line_id,
        "status": "unknown",
        "reason": short(event.reason),
    }


WEBHOOK = WebhookType("delivery.unknown", __doc__, LineUnknown, data)
