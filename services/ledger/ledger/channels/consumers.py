from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from ledger.channels.domain import ChannelName
from ledger.channels.service import ChannelService
from lockstock.order.v1.order_events_pb2 import OrderPlaced


class ChannelConsumers:
    def __init__(self, channels: ChannelService) -> None:
        self._channels = channels

    def handlers(self) -> list[Handler]:
        return [handles(OrderPlaced, self.on_order_placed)]

    async def on_order_placed(self, tx: Transaction, events: Sequence[Event[OrderPlaced]]) -> None:
        """The last of each channel in the batch: all of it name few."""
        newest = {
            event.message.channel_id: event
            for event in sorted(events, key=lambda event: event.time)
            if event.message.channel_name
        }
        await self._channels.tell(tx, [_name(event) for event in newest.values()])


def _name(event: Event[OrderPlaced]) -> ChannelName:
    message = event.message
    return ChannelName(
        channel_id=UUID(message.channel_id),
        merchant_id=UUID(message.merchant_id),
        name=message.channel_name,
        told_at=event.time,
    )
