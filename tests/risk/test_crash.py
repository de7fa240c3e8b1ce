"""kill -9 of the worker in the midst of assessments, with a real broker and a real database.

LOCKSTOCK_RISK_KILLS is how often (default 4; the full size is 100), with 60 orders for each.
"""

import asyncio
import os
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from kit.db import Database
from kit.messaging.envelope import Envelope, read_envelope, to_headers
from kit.messaging.settings import KafkaSettings
from kit.messaging.topics import ensure_topics, specs_of
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from lockstock.risk.v1.assessment_events_pb2 import OrderAssessed
from risk.app import create_service
from risk.settings import Settings
from tests.conftest import ServiceDatabase
from tests.contracts.services import variables
from tests.kit.messaging.stage import read_topic, until
from tests.risk.factories import MERCHANT, NOON, an_order
from tests.stack.nursery import Forked, nursery_of

KILLS = int(os.environ.get("LOCKSTOCK_RISK_KILLS", "4"))
PER_KILL = 60
ORDERS = PER_KILL * KILLS
ADDRESSES = 8

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120 + 20 * KILLS)]


@pytest.fixture
async def settings(service_database: ServiceDatabase, kafka: str) -> Settings:
    return Settings(
        database_url=await service_database("risk"),
        kafka_bootstrap=kafka,
        internal_secret="s" * 32,
    )


@pytest.fixture
async def db(settings: Settings) -> AsyncIterator[Database]:
    service = create_service(settings)
    yield service.db
    await service.db.close()


async def test_no_order_is_without_a_decision_and_none_is_decided_twice_differently(
    settings: Settings, db: Database, kafka: str
) -> None:
    await ensure_topics(kafka, specs_of([OrderPlaced, OrderAssessed], _kafka(settings)))
    seeded = random.Random(11)
    orders = [
        an_order(ip=f"203.0.113.{number % ADDRESSES}", at=NOON + timedelta(seconds=number))
        for number in range(ORDERS)
    ]
    for first in range(0, ORDERS, PER_KILL):
        worker = _start(settings)
        await _send(kafka, orders[first : first + 1])
        await until(partial(_judged, db, at_least=first + 1), seconds=90, pause=0.01)
        # It is there and has nothing left: what comes now it judges as it comes.
        coming = orders[first + 1 : first + PER_KILL]
        sending = asyncio.create_task(_send(kafka, coming, pause=0.01))
        await asyncio.sleep(0.1 + seeded.random() / 4)
        await worker.kill()
        assert not sending.done()
        await sending
    # What was sent comes once more, as after a broker that lost what it had confirmed.
    await _send(kafka, seeded.sample(orders, ORDERS // 4))
    worker = _start(settings)
    await until(lambda: _settled(db), seconds=90)
    worker.send(signal.SIGTERM)
    await worker.ended()

    recorded = await _recorded(db)
    told = await _told(kafka, {str(it.message.order_id) for it in orders})
    assert set(recorded) == set(told) == {str(it.message.order_id) for it in orders}
    assert told == {order_id: {answer} for order_id, answer in recorded.items()}
    # Five of each address pass, in whatever batches and however often it died.
    held = [answer for answer in recorded.values() if answer[1] == "hold"]
    assert len(held) == ORDERS - 5 * ADDRESSES


def _kafka(settings: Settings) -> KafkaSettings:
    return create_service(settings).kafka


def _start(settings: Settings) -> Forked:
    return nursery_of("risk.app").fork(
        "risk", "worker", env={**os.environ, **variables(settings)}, log=Path(os.devnull)
    )


async def _send(kafka: str, orders: list[Any], *, pause: float = 0.0) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        for order in orders:
            envelope = Envelope(
                order.id,
                order.type,
                order.topic,
                order.key,
                1,
                order.time,
                str(MERCHANT),
                None,
                None,
            )
            await producer.send(
                order.topic,
                order.message.SerializeToString(),
                key=order.key.encode(),
                headers=to_headers(envelope, source="lockstock/order"),
            )
            await asyncio.sleep(pause)


async def _judged(db: Database, *, at_least: int) -> bool:
    async with db.read() as tx:
        count = await tx.execute(text("SELECT count(*) FROM assessment"))
        return int(count.scalar_one()) >= at_least


async def _settled(db: Database) -> bool:
    """Everything is judged, and everything that was to be told has left."""
    async with db.read() as tx:
        waiting = await tx.execute(text("SELECT count(*) FROM outbox_pending"))
        is_empty = int(waiting.scalar_one()) == 0
    return is_empty and await _judged(db, at_least=ORDERS)


async def _recorded(db: Database) -> dict[str, tuple[str, str]]:
    """Order -> its assessment and decision; a second row for an order is a failure here."""
    async with db.read() as tx:
        rows = (await tx.execute(text("SELECT order_id, id, decision FROM assessment"))).all()
    found = {str(row.order_id): (str(row.id), row.decision) for row in rows}
    assert len(found) == len(rows)
    return found


async def _told(kafka: str, orders: set[str]) -> dict[str, set[tuple[str, str]]]:
    """Order -> every answer that was ever published for it."""
    names = {1: "allow", 3: "hold", 4: "decline"}
    told: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for record in await read_topic(kafka, "lockstock.risk.assessment"):
        assert read_envelope(record.topic, record.key, record.headers).type.endswith("Assessed")
        message = OrderAssessed.FromString(record.value or b"")
        if message.order_id in orders:
            told[message.order_id].add((message.assessment_id, names[message.decision]))
    return dict(told)
