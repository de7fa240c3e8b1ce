"""A process of its own, for the tests that stop or kill one."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer

from kit.db import Database, Transaction
from kit.logging import configure_logging
from kit.messaging import outbox, watchdog
from kit.messaging.committer import Committer
from kit.messaging.consumer import Consumer, handles
from kit.messaging.events import Event
from kit.messaging.relay import Relay
from kit.messaging.sender import PendingEvent
from kit.messaging.settings import KafkaSettings
from tests.kit.messaging.stage import event_class, record_effects

KILLED_AFTER_EVENTS = 20
STOPS_IN_ROUND = 5
STOPS_AT_NUMBER = 20


class StoppingRelay(Relay):
    """Stops itself in the middle of a round, before or after its batch went out."""

    rounds = 0
    stop_at = ""

    async def _count(self, connection: Any, taken: int) -> None:
        await super()._count(connection, taken)
        self._stop("sending", taken)

    async def _settle(self, connection: Any, events: Sequence[PendingEvent], outcome: Any) -> None:
        self._stop("settling", len(events))
        await super()._settle(connection, events, outcome)

    def _stop(self, place: str, taken: int) -> None:
        self.rounds += place == self.stop_at and taken > 0
        if self.rounds == STOPS_IN_ROUND and place == self.stop_at:
            self.rounds += 1
            os.kill(os.getpid(), signal.SIGSTOP)


async def _never_commits(self: Committer, deadline_seconds: float = 0) -> None:
    """The crash comes between the transaction's commit and the offset's."""


async def _die_after_some(tx: Transaction, events: Sequence[Event[Any]]) -> None:
    await record_effects(tx, events)
    if max(event.message.number for event in events) >= KILLED_AFTER_EVENTS:
        tx.on_commit(lambda: os._exit(9))


async def _stop_with_open_batch(tx: Transaction, events: Sequence[Event[Any]]) -> None:
    """Stops once, in the middle of the transaction of the batch that brings a certain event."""
    await record_effects(tx, events)
    if any(event.message.number == STOPS_AT_NUMBER for event in events):
        os.kill(os.getpid(), signal.SIGSTOP)


async def _block(_: Transaction, __: Sequence[Event[Any]]) -> None:
    """Blocks the whole loop, as a bug would: no deadline of asyncio can end this."""
    time.sleep(600)  # noqa: ASYNC251 - that is the bug


async def _hear_nothing(*_: Any, **__: Any) -> dict[Any, Any]:
    """A client that polls for ever and gets nothing, as aiokafka's open bugs have it."""
    await asyncio.sleep(0.1)
    return {}


async def _main(arguments: argparse.Namespace) -> None:
    kafka = KafkaSettings.model_validate_json(arguments.kafka)
    if arguments.what == "relay":
        relay = StoppingRelay(arguments.database, kafka, "test")
        relay.stop_at = arguments.stop_at
        await relay.run()
        return
    db = Database(arguments.database, application_name="child", pool_size=2)
    db.before_commit.append(outbox.flush)
    handlers = {
        "blocked": _block,
        "crashing": _die_after_some,
        "deaf": record_effects,
        "stopping": _stop_with_open_batch,
    }
    if arguments.what == "deaf":
        AIOKafkaConsumer.getmany = _hear_nothing
    if arguments.what == "blocked":
        # A loop that hangs handles nothing, too: so that this is not seen first, as in a shop.
        watchdog.BEAT_SECONDS = arguments.stall / 2
    if arguments.what == "crashing":
        Committer.flush = _never_commits  # type: ignore[method-assign]  # see there
    handler = handles(event_class(arguments.topic), handlers[arguments.what])
    await Consumer(db, kafka, arguments.group, [handler], stall_seconds=arguments.stall).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["relay", "crashing", "blocked", "deaf", "stopping"])
    parser.add_argument("--database", required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--group", default="")
    parser.add_argument("--stop-at", choices=["", "sending", "settling"], default="")
    parser.add_argument("--stall", type=float, default=60.0)
    configure_logging("child")
    sys.stderr.write("child starts\n")
    parsed = parser.parse_args()
    event_class(parsed.topic)
    asyncio.run(_main(parsed))
