"""Builds what tells shops things: endpoints, deliveries, the sender."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fulfillment.loading import load_webhook_types
from fulfillment.outside import Outside
from fulfillment.safe import Safe
from fulfillment.settings import Settings
from fulfillment.webhook_deliveries.consumers import WebhookConsumers
from fulfillment.webhook_deliveries.jobs import WebhookSender
from fulfillment.webhook_deliveries.repository import WebhookDeliveryRepository
from fulfillment.webhook_deliveries.service import Pace, WebhookDeliveryService
from fulfillment.webhook_endpoints.repository import WebhookEndpointRepository
from fulfillment.webhook_endpoints.service import WebhookEndpointService
from kit.db import Database
from kit.messaging.handlers import Handler, handles
from kit.periodic import Periodic

PRUNE_SECONDS = 600.0
TELL_PATIENCE_SECONDS = 0.1
"""What happens within this time is told together."""


@dataclass(frozen=True, slots=True)
class WebhookParts:
    """What the service is given."""

    sender: WebhookSender
    handlers: Sequence[Handler]
    jobs: Sequence[Periodic]
    state: Mapping[str, Any]


def build_webhooks(settings: Settings, db: Database, safe: Safe, outside: Outside) -> WebhookParts:
    types = load_webhook_types()
    timeout = timedelta(seconds=settings.webhook_timeout_seconds)
    endpoints = WebhookEndpointService(
        WebhookEndpointRepository(safe), [each.name for each in types], outside.rules
    )
    # A batch ends with its first call that is late: so a lane needs two time-outs and a breath.
    pace = Pace(
        settings.webhook_pace,
        lease=2 * timeout + timedelta(seconds=1),
        disable_after=timedelta(days=settings.webhook_disable_days),
        keep=timedelta(days=settings.webhook_keep_days),
    )
    deliveries = WebhookDeliveryService(WebhookDeliveryRepository(), endpoints, pace)
    sender = WebhookSender(
        db, deliveries, outside, timeout=timeout, lanes_max=settings.webhook_lanes_max
    )
    sending = Periodic("send-webhooks", settings.webhook_poll_seconds, sender.run)
    told = WebhookConsumers(
        deliveries,
        {each.event: each for each in types},
        lambda: sending.wake(TELL_PATIENCE_SECONDS),
    )

    async def prune() -> bool:
        async with db.transaction() as tx:
            return await deliveries.prune(tx)

    return WebhookParts(
        sender,
        handlers=[handles(each.event, told.on_event) for each in types],
        jobs=[sending, Periodic("prune-webhooks", PRUNE_SECONDS, prune)],
        state={
            "webhook_types": types,
            "webhook_endpoints": endpoints,
            "webhook_deliveries": deliveries,
            "webhook_sender": sender,
        },
    )
