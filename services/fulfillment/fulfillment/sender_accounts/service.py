"""By whom messages are sent: a merchant's own senders, else this service's."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fulfillment.sender import Sender, SenderAccount
from fulfillment.templates.domain import Channel
from kit.db import Transaction

Accounts = Mapping[UUID, Mapping[Channel, SenderAccount]]


class SenderAccountService:
    """`defaults` are this service's own accounts, checked; the first of a channel counts."""

    def __init__(self, senders: Mapping[str, Sender], defaults: Sequence[SenderAccount]) -> None:
        self.senders = senders
        self._defaults = {
            senders[account.sender].channel: account for account in reversed(defaults)
        }

    async def find_many(self, tx: Transaction, merchant_ids: Sequence[UUID]) -> Accounts:
        """Who sends for each merchant on each channel; a channel without anybody is left out."""
        return dict.fromkeys(merchant_ids, self._defaults)
