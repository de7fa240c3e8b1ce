"""A pool's last unit was taken."""

from typing import Any

from fulfillment.webhook_type import WebhookType
from lockstock.inventory_vault.v1.stock_events_pb2 import StockOut


def data(event: StockOut) -> dict[str, Any]:
    return {
        "pool_id": event.pool_id,
        "available": 0,
    }


WEBHOOK = WebhookType("stock.out", __doc__, StockOut, data)
