"""An order was not paid in time."""

from typing import Any

from fulfillment.webhook_type import WebhookType
from lockstock.order.v1.order_events_pb2 import OrderExpired


def data(event: OrderExpired) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "status": "expired",
    }


WEBHOOK = WebhookType("order.expired", __doc__, OrderExpired, data)
