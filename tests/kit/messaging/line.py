"""The whole way of an event in one test: relay, broker, consumer."""

from typing import Any

from kit.db import Database, Transaction
from kit.messaging.consumer import Consumer
from kit.messaging.relay import Relay
from kit.messaging.settings import KafkaSettings
from tests.kit.messaging.stage import (
    count,
    until,
)

GROUP_PREFIX = "test-"


class Line:
    """Relay and consumer of one test, with one event class."""

    def __init__(
        self, db: Database, consumer_db: Database, url: str, kafka: KafkaSettings, topic: str
    ) -> None:
        self.db = db
        self.consumer_db = consumer_db
        self.kafka = kafka
        self.topic = topic
        self.group = f"{GROUP_PREFIX}{topic[-12:]}"
        self.relay_url = url
        self.relay = Relay(url, kafka, "test")
        for source in (db, consumer_db):
            source.before_commit.insert(0, self._wake)

    async def _wake(self, tx: Transaction) -> None:
        if tx.outgoing:
            tx.on_commit(self.relay.wake)

    def consumer(self, *handlers: Any, patience: float = 0.0) -> Consumer:
        return Consumer(self.consumer_db, self.kafka, self.group, handlers, patience=patience)

    async def settled(self) -> bool:
        return await count(self.db, "outbox_pending") == 0

    async def has_effects(self, number: int) -> Any:
        await until(lambda: self.holds(number))

    async def holds(self, number: int) -> bool:
        return await count(self.db, "effect") >= number

    async def letters(self, cause: str) -> int:
        return await count(self.db, "dead_letter", f"cause = '{cause}' AND resolved_at IS NULL")
