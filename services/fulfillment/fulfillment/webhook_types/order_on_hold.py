"""A paid order waits for a person's decision."""

from typing import Any

from fulfillment.webhook_type import WebhookType, short
from lockstock.order.v1.order_events_pb2 import OrderHeld


def data(event: OrderHeld) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "status": "on_hold",
        "reason": short(event.reason),
    }


WEBHOOK = WebhookType("order.on_hold", __doc__, OrderHeld, data)
