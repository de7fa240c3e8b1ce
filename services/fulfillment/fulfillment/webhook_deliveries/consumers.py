"""What happens in any service, worded for shops. Which events those are, `webhook_types` says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from fulfillment.webhook_deliveries.domain import WebhookEvent
from fulfillment.webhook_deliveries.service import WebhookDeliveryService, body_of
from fulfillment.webhook_type import WebhookType
from kit.db import Transaction
from kit.messaging.events import Event


class WebhookConsumers:
    """`wake` is called once deliveries are durable, if there are any: who is told is not known
    before.
    """

    def __init__(
        self,
        deliveries: WebhookDeliveryService,
        types: Mapping[type[Message], WebhookType],
        wake: Callable[[], None],
    ) -> None:
        self._deliveries = deliveries
        self._types = types
        self._wake = wake

    # Any: one handler for the events of every type.
    async def on_event(self, tx: Transaction, events: Sequence[Event[Any]]) -> None:
        """One statement for the whole batch, however many endpoints there are."""
        self._deliveries.tell(tx, [self._worded(event) for event in events])
        tx.on_commit(self._wake)

    def _worded(self, event: Event[Any]) -> WebhookEvent:
        webhook = self._types[type(event.message)]
        return WebhookEvent(
            id=event.id,
            merchant_id=UUID(event.message.merchant_id),
            type=webhook.name,
            body=body_of(webhook.name, event.time, webhook.data(event.message)),
            occurred_at=event.time,
        )
