"""What this slice tells the others."""

from datetime import datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from fulfillment.webhook_endpoints.domain import Disabled
from lockstock.fulfillment.v1.webhook_events_pb2 import WebhookEndpointDisabled


def webhook_endpoint_disabled(
    endpoint_id: UUID, merchant_id: UUID, because: Disabled, failing_since: datetime
) -> WebhookEndpointDisabled:
    since = Timestamp()
    since.FromDatetime(failing_since)
    return WebhookEndpointDisabled(
        endpoint_id=str(endpoint_id),
        merchant_id=str(merchant_id),
        reason=because.value,
        failing_since=since,
    )
