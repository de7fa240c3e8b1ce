"""The whole price of an order has arrived."""

from typing import Any

from fulfillment.webhook_type import WebhookType, money
from lockstock.order.v1.order_events_pb2 import OrderPaid


def data(event: OrderPaid) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "channel_id": event.channel_id,
        "status": "paid",
        "amount": money(event.amount),
    }


WEBHOOK = WebhookType("order.paid", __doc__, OrderPaid, data)
