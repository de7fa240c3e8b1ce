"""The words and sums of random orders: an event told, and what the books must come to with it."""

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from kit.messaging.events import Event
from lockstock.common.v1.money_pb2 import Money
from tests.ledger.factories import an_event
from tests.ledger.stories import Key, LineStory, OrderStory, clearing

SUPPLIERS = ("Kinguin", "Reloadly", "Card house")


class Teller:
    """Tells events of one merchant and keeps the sums."""

    def __init__(self, seed: int, merchant_id: UUID) -> None:
        self.random = random.Random(seed)
        self.merchant_id = merchant_id

    def _fee(self, story: OrderStory, line: LineStory, fee: int) -> None:
        """The channel keeps it; negative when it comes back."""
        self._book(story, clearing(story), -fee)
        if story.bearer == "platform":
            self._book(story, "platform-receivable", fee)
        else:
            self._book(story, "channel-fees", fee)
            line.margin[story.currency] -= fee

    def _tell(self, story: OrderStory, message: Message) -> None:
        at = story.at + timedelta(minutes=len(story.events))
        story.events.append(self._event(message, story.id, at))

    def _event(self, message: Message, key: UUID, at: datetime) -> Event[Any]:
        return an_event(message, str(key), merchant_id=self.merchant_id, time=at)

    def _book(self, story: OrderStory, code: str, amount: int) -> None:
        self._add(story.balances, code, story.currency, amount)

    def _book_elsewhere(self, story: OrderStory, code: str, amount: int) -> None:
        """What is posted without naming the order."""
        self._book(story, code, amount)
        self._add(story.elsewhere, code, story.currency, amount)

    def _add(self, balances: Counter[Key], code: str, currency: str, amount: int) -> None:
        if amount:
            balances[code, currency] += amount

    def _money(self, amount: int, story: OrderStory) -> Money:
        return Money(amount_minor=amount, currency=story.currency)
