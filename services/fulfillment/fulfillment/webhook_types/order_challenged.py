"""An order waits until its buyer shows the code that was sent to them."""

from typing import Any

from fulfillment.webhook_type import WebhookType
from lockstock.order.v1.challenge_events_pb2 import ChallengeRequested


def data(event: ChallengeRequested) -> dict[str, Any]:
    return {"order_id": event.order_id, "challenge_id": event.challenge_id}


WEBHOOK = WebhookType("order.challenged", __doc__, ChallengeRequested, data)
