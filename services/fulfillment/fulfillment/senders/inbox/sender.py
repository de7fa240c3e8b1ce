"""Into the customer's inbox in this service, which the shop shows in its own app."""

from collections.abc import Mapping, Sequence

from fulfillment.inbox.domain import InboxMessage
from fulfillment.loading import SenderParts
from fulfillment.sender import (
    Doubt,
    Later,
    Letter,
    SenderAccount,
    SendOutcome,
    Sent,
    SettingsRefused,
    Unclear,
)
from fulfillment.templates.domain import Channel
from kit.combine import Combiner
from kit.errors import Unavailable


class InboxSender:
    """The message's id is the row's, so a repeat changes nothing. Messages that are sent at the
    same time share a transaction.
    """

    channel = Channel.INBOX
    repeats_safely = True
    finds = False
    for_merchants = False

    def __init__(self, parts: SenderParts) -> None:
        self._db = parts.db
        self._inbox = parts.inbox
        self._put = Combiner(self._put_many)

    def check(self, settings: Mapping[str, object], secret: str) -> Mapping[str, object]:
        if settings or secret:
            raise SettingsRefused("an inbox has nothing to set")
        return {}

    async def send(self, account: SenderAccount, letter: Letter) -> SendOutcome:
        message = InboxMessage(
            id=letter.message_id,
            merchant_id=letter.merchant_id,
            customer_id=letter.to,
            order_id=letter.order_id,
            subject=letter.subject,
            body=letter.body,
        )
        try:
            await self._put(message)
        except Unavailable:
            return Later("database_busy")
        return Sent()

    async def _put_many(self, messages: Sequence[InboxMessage]) -> Sequence[None]:
        async with self._db.transaction() as tx:
            await self._inbox.put_many(tx, messages)
        return [None] * len(messages)

    async def find(self, account: SenderAccount, letter: Letter, doubt: Doubt) -> SendOutcome:
        return Unclear("not_known")


def create(parts: SenderParts) -> InboxSender:
    return InboxSender(parts)
