from collections.abc import Sequence
from uuid import UUID

from fulfillment.challenges.domain import Asked
from fulfillment.challenges.service import ChallengeService
from fulfillment.contacts.domain import Contact
from fulfillment.contacts.service import ContactService
from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.order.v1.challenge_events_pb2 import ChallengeRequested


class ChallengeConsumers:
    def __init__(self, challenges: ChallengeService, contacts: ContactService) -> None:
        self._challenges = challenges
        self._contacts = contacts

    def handlers(self) -> list[Handler]:
        return [handles(ChallengeRequested, self.on_challenge_requested)]

    async def on_challenge_requested(
        self, tx: Transaction, events: Sequence[Event[ChallengeRequested]]
    ) -> None:
        """Challenges are rare, and each code is counted against limits of its own: one by one."""
        self._contacts.keep(tx, [_contact(event.message) for event in events])
        for event in events:
            await self._challenges.begin(tx, _asked(event.message))


def _contact(message: ChallengeRequested) -> Contact:
    return Contact(
        order_id=UUID(message.order_id),
        merchant_id=UUID(message.merchant_id),
        customer_id=message.customer_id,
        email=message.email,
        phone=message.phone,
        locale=message.locale,
    )


def _asked(message: ChallengeRequested) -> Asked:
    return Asked(
        UUID(message.challenge_id),
        UUID(message.merchant_id),
        UUID(message.order_id),
        message.reference,
    )
