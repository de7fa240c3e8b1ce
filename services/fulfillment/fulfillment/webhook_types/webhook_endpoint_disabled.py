"""Another endpoint of yours was switched off: it failed for days, or said that it is gone."""

from typing import Any

from fulfillment.webhook_type import WebhookType, moment, short
from lockstock.fulfillment.v1.webhook_events_pb2 import WebhookEndpointDisabled


def data(event: WebhookEndpointDisabled) -> dict[str, Any]:
    return {
        "endpoint_id": event.endpoint_id,
        "reason": short(event.reason),
        "failing_since": moment(event.failing_since),
    }


WEBHOOK = WebhookType("webhook_endpoint.disabled", __doc__, WebhookEndpointDisabled, data)
