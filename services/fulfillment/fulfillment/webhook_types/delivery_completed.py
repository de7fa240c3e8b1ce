"""A line belongs to its buyer: read its delivery for the units."""

from typing import Any

from fulfillment.webhook_type import WebhookType
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered


def data(event: LineDelivered) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "delivery_id": event.delivery_id,
        "line_id": event.line_id,
        "status": "delivered",
    }


WEBHOOK = WebhookType("delivery.completed", __doc__, LineDelivered, data)
