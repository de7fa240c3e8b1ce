"""Some lines of an order were delivered, the others are refunded."""

from typing import Any

from fulfillment.webhook_type import WebhookType, money
from lockstock.order.v1.order_events_pb2 import OrderPartiallyCompleted


def data(event: OrderPartiallyCompleted) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "channel_id": event.channel_id,
        "status": "partially_completed",
        "total": money(event.total),
        "refunded": money(event.refunded),
    }


WEBHOOK = WebhookType("order.partially_completed", __doc__, OrderPartiallyCompleted, data)
