"""A lot's claims were out of line: what was left of it was stopped."""

from typing import Any

from fulfillment.webhook_type import WebhookType, short
from lockstock.fulfillment.v1.claim_events_pb2 import LotQuarantined


def data(event: LotQuarantined) -> dict[str, Any]:
    return {
        "lot_id": event.lot_id,
        "sku": short(event.sku),
        "claims": event.claims,
        "sold": event.sold,
        "reason": short(event.reason),
    }


WEBHOOK = WebhookType("lot.quarantined", __doc__, LotQuarantined, data)
