"""The whole money of an order went back."""

from typing import Any

from fulfillment.webhook_type import WebhookType, money, short
from lockstock.order.v1.order_events_pb2 import OrderRefunded


def data(event: OrderRefunded) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "channel_id": event.channel_id,
        "status": "refunded",
        "amount": money(event.amount),
        "reason": short(event.reason),
    }


WEBHOOK = WebhookType("order.refunded", __doc__, OrderRefunded, data)
