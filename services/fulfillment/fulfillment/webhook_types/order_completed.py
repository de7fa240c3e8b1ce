"""Every line of an order was delivered."""

from typing import Any

from fulfillment.webhook_type import WebhookType, money
from lockstock.order.v1.order_events_pb2 import OrderCompleted


def data(event: OrderCompleted) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "channel_id": event.channel_id,
        "status": "completed",
        "total": money(event.total),
    }


WEBHOOK = WebhookType("order.completed", __doc__, OrderCompleted, data)
