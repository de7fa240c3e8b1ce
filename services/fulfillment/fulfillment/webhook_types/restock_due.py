"""A sold-out product can be bought again, and a buyer asked to be told."""

from typing import Any

from fulfillment.webhook_type import WebhookType, moment, short
from lockstock.order.v1.restock_events_pb2 import RestockNoticeDue


def data(event: RestockNoticeDue) -> dict[str, Any]:
    return {
        "request_id": event.request_id,
        "product_id": event.product_id,
        "sku": event.sku,
        "customer_id": short(event.customer_id),
        "due_at": moment(event.due_at),
    }


WEBHOOK = WebhookType("restock.due", __doc__, RestockNoticeDue, data)
