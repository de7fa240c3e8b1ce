"""A unit that its buyer has not used yet expires soon."""

from typing import Any

from fulfillment.webhook_type import WebhookType, moment, short
from lockstock.fulfillment.v1.claim_events_pb2 import UnitExpiring


def data(event: UnitExpiring) -> dict[str, Any]:
    return {
        "unit_id": event.unit_id,
        "order_id": event.order_id,
        "delivery_id": event.delivery_id,
        "line_id": event.line_id,
        "sku": short(event.sku),
        "expires_at": moment(event.expires_at),
        "days": event.days,
        "is_opened": event.opened,
    }


WEBHOOK = WebhookType("unit.expiring", __doc__, UnitExpiring, data)
