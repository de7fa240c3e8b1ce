"""A period of the merchant's balance was closed: its statement can be read."""

from typing import Any

from fulfillment.webhook_type import WebhookType, short
from lockstock.ledger.v1.settlement_events_pb2 import SettlementClosed


def data(event: SettlementClosed) -> dict[str, Any]:
    return {
        "settlement_id": event.settlement_id,
        "status": "closed",
        "due_on": short(event.due_on),
        "payout_id": event.payout_id or None,
    }


WEBHOOK = WebhookType("settlement.closed", __doc__, SettlementClosed, data)
