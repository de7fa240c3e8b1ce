from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.fulfillment.v1.challenge_events_pb2 import ChallengeNotSent, ChallengeSent
from lockstock.order.v1.order_events_pb2 import OrderCancelled, OrderExpired, OrderHeld
from risk.challenges.service import ChallengeService


class ChallengeConsumers:
    def __init__(self, challenges: ChallengeService) -> None:
        self._challenges = challenges

    def handlers(self) -> list[Handler]:
        return [
            handles(ChallengeSent, self.on_challenge_sent),
            handles(ChallengeNotSent, self.on_challenge_not_sent),
            handles(OrderCancelled, self.on_order_cancelled),
            handles(OrderExpired, self.on_order_expired),
            handles(OrderHeld, self.on_order_held),
        ]

    async def on_challenge_sent(
        self, tx: Transaction, events: Sequence[Event[ChallengeSent]]
    ) -> None:
        sent = [event.message for event in events]
        await self._challenges.note_sent(
            tx, [(UUID(it.challenge_id), it.channel, it.target) for it in sent]
        )

    async def on_challenge_not_sent(
        self, tx: Transaction, events: Sequence[Event[ChallengeNotSent]]
    ) -> None:
        await self._challenges.note_unsent(tx, [UUID(it.message.challenge_id) for it in events])

    async def on_order_cancelled(
        self, tx: Transaction, events: Sequence[Event[OrderCancelled]]
    ) -> None:
        await self._challenges.lapse(tx, [UUID(event.message.order_id) for event in events])

    async def on_order_expired(
        self, tx: Transaction, events: Sequence[Event[OrderExpired]]
    ) -> None:
        await self._challenges.lapse(tx, [UUID(event.message.order_id) for event in events])

    async def on_order_held(self, tx: Transaction, events: Sequence[Event[OrderHeld]]) -> None:
        await self._challenges.reopen(tx, [UUID(event.message.order_id) for event in events])
