"""An order was cancelled before it was paid."""

from typing import Any

from fulfillment.webhook_type import WebhookType, short
from lockstock.order.v1.order_events_pb2 import OrderCancelled


def data(event: OrderCancelled) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "status": "cancelled",
        "reason": short(event.reason),
    }


WEBHOOK = WebhookType("order.cancelled", __doc__, OrderCancelled, data)
