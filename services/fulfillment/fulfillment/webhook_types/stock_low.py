"""A pool has fewer units left than its threshold, or they last for too few days."""

from typing import Any

from fulfillment.webhook_type import WebhookType
from lockstock.inventory_vault.v1.stock_events_pb2 import StockLow


def data(event: StockLow) -> dict[str, Any]:
    return {
        "pool_id": event.pool_id,
        "available": event.available,
        "threshold": event.threshold,
    }


WEBHOOK = WebhookType("stock.low", __doc__, StockLow, data)
