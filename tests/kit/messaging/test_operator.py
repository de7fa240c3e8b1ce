"""What an operator can see and do: list, replay, dismiss, prune."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from kit.db import Database, Transaction
from kit.ids import new_id
from kit.messaging.consumer import Handler, handles
from kit.messaging.dead_letters import command
from kit.messaging.envelope import Envelope, to_headers
from kit.messaging.events import Event, type_of
from kit.messaging.handlers import HandlerSet
from kit.messaging.inbox import Inbox
from kit.messaging.plan import Received
from kit.messaging.progress import Progress
from kit.messaging.retention import prune
from kit.messaging.settings import KafkaSettings
from kit.messaging.worker import Worker
from tests.kit.messaging.stage import (
    count,
    event_class,
    new_topic,
    publish,
    record_effects,
    versions_of,
)
from tests.stack.statements import noted_statements

GROUP = "operated"


class Clinic:
    """A consumer's inner part without a broker: a handler that can be healed, and its inbox."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.topic = new_topic()
        self.counted = event_class(self.topic)
        self.healed = False
        self.handlers: list[Handler] = [handles(self.counted, self._handle)]
        self._set = HandlerSet(self.handlers)
        kafka = KafkaSettings(bootstrap_servers="unused")
        self._worker = Worker(db, Inbox(GROUP), self._set, kafka, Progress())

    async def _handle(self, tx: Transaction, events: Sequence[Event[Any]]) -> None:
        if not self.healed and any(one.message.note == "poison" for one in events):
            raise ValueError("cannot digest this")
        await record_effects(tx, events)

    def record(self, version: int, note: str = "", key: str = "a") -> Received:
        now = datetime.now(UTC)
        envelope = Envelope(
            new_id(), type_of(self.counted), self.topic, key, version, now, None, None, None
        )
        message: Message = self.counted(note=note)
        headers = to_headers(envelope, source="test")
        payload = message.SerializeToString()
        return self._set.read(self.topic, 0, version, key.encode(), headers, payload)

    async def receive(self, *records: Received) -> None:
        await self._worker.work_off(records, asyncio.Event())

    async def run(self, name: str, *arguments: str) -> None:
        await command(self.db, GROUP, self.handlers, name, arguments)


@pytest.fixture
def clinic(db: Database) -> Clinic:
    return Clinic(db)


async def test_the_list_says_what_was_put_aside_and_why(clinic: Clinic, capsys):
    await clinic.receive(clinic.record(1, "poison"), clinic.record(2), clinic.record(1, key="b"))
    capsys.readouterr()

    await clinic.run("dead-letters")
    await clinic.run("dead-letters", "--json", "--key", "a", "--limit", "1")

    lines = capsys.readouterr().out.splitlines()
    assert "failed: ValueError: cannot digest this" in lines[0]
    assert "parked: an earlier event of this key failed" in lines[1]
    assert json.loads(lines[2])["version"] == 1
    assert len(lines) == 3


async def test_an_empty_list_says_so(clinic: Clinic, capsys):
    await clinic.run("dead-letters")

    assert capsys.readouterr().out == "nothing was put aside\n"


async def test_a_replay_before_the_fix_fails_and_after_it_completes(clinic: Clinic, capsys):
    await clinic.receive(clinic.record(1, "poison"), clinic.record(2), clinic.record(3))

    with pytest.raises(SystemExit) as ended:
        await clinic.run("replay", "--all")
    clinic.healed = True
    await clinic.run("replay", "--key", "a")

    assert ended.value.code == 1
    assert "3 applied, 0 left" in capsys.readouterr().out
    assert await versions_of(clinic.db, "a") == [1, 2, 3]


async def test_the_tries_of_a_letter_are_counted(clinic: Clinic):
    bad = clinic.record(1, "poison")
    await clinic.receive(bad)
    before = await _tries(clinic.db, bad.id)

    with pytest.raises(SystemExit):
        await clinic.run("replay", "--event", str(bad.id))

    assert (before, await _tries(clinic.db, bad.id)) == (3, 4)


async def test_a_dismissed_event_has_no_effect_and_those_behind_it_go_on(clinic: Clinic):
    bad = clinic.record(1, "poison")
    await clinic.receive(bad, clinic.record(2), clinic.record(3))

    await clinic.run("replay", "--event", str(bad.id), "--dismiss")
    await clinic.receive(clinic.record(4))

    assert await versions_of(clinic.db, "a") == [2, 3, 4]


async def test_a_gap_is_skipped_only_by_an_operators_word(clinic: Clinic):
    await clinic.receive(clinic.record(1), clinic.record(4), clinic.record(5))

    with pytest.raises(SystemExit):
        await clinic.run("replay", "--key", "a")
    before = await versions_of(clinic.db, "a")
    await clinic.run("replay", "--key", "a", "--skip-gap")

    assert before == [1]
    assert await versions_of(clinic.db, "a") == [1, 4, 5]


async def test_a_record_that_a_later_release_can_read_is_applied_by_a_replay(clinic: Clinic):
    record = clinic.record(1)
    unreadable = clinic._set.read(
        record.topic, 0, 1, record.record_key, record.headers, b"\xff\xff"
    )
    await clinic.receive(unreadable, clinic.record(2))
    async with clinic.db.transaction() as tx:
        await tx.execute(
            text("UPDATE dead_letter SET payload = :good WHERE cause = 'undecodable'"),
            {"good": record.payload},
        )

    await clinic.run("replay", "--event", str(record.id))

    assert await versions_of(clinic.db, "a") == [1, 2]


async def test_only_the_poisonous_one_of_a_large_batch_is_put_aside(clinic: Clinic):
    records = [clinic.record(1, "poison" if n == 77 else "", f"k{n}") for n in range(200)]

    await clinic.receive(*records)

    assert await count(clinic.db, "effect") == 199
    assert await count(clinic.db, "dead_letter") == 1


async def test_old_events_leave_in_bounded_batches_but_never_what_is_still_needed(clinic: Clinic):
    for n in range(30):
        await publish(clinic.db, clinic.counted(), key=f"k{n}")
    await clinic.receive(*(clinic.record(1, key=f"k{n}") for n in range(30)))
    async with clinic.db.transaction() as tx:
        await tx.execute(text("UPDATE event_log SET at = at - interval '31 days'"))
        await tx.execute(text("UPDATE inbox SET at = at - interval '36 days'"))
        await tx.execute(text("DELETE FROM outbox_pending WHERE id <= 25"))

    rounds = [await prune(clinic.db, rows_max=10) for _ in range(4)]

    assert rounds == [True, True, True, False]
    assert await count(clinic.db, "event_log") == await count(clinic.db, "outbox_pending") == 5
    assert await count(clinic.db, "inbox") == 0


async def test_young_events_stay(clinic: Clinic):
    await publish(clinic.db, clinic.counted(), key="a")
    await clinic.receive(clinic.record(1))

    assert await prune(clinic.db) is False
    assert await count(clinic.db, "event_log") == await count(clinic.db, "inbox") == 1


async def test_a_large_batch_costs_three_statements(clinic: Clinic):
    records = [clinic.record(1, key=f"k{n}") for n in range(500)]
    with noted_statements() as statements:
        await clinic.receive(*records)

    assert len(statements) == 3, "look, handle, settle"
    assert await count(clinic.db, "effect") == 500


async def test_events_a_broker_lost_are_queued_again_in_their_order(clinic: Clinic, capsys):
    for n in range(4):
        await publish(clinic.db, clinic.counted(number=n), key="a")
    async with clinic.db.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox_pending"))
        await tx.execute(text("UPDATE event_log SET at = at - interval '1 day' WHERE version = 1"))

    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    await clinic.run("replay", "--republish-since", an_hour_ago.isoformat())

    assert await count(clinic.db, "outbox_pending") == 3
    assert capsys.readouterr().out.endswith("3 queued, 0 left\n")


async def test_a_time_without_zone_is_refused(clinic: Clinic, capsys):
    with pytest.raises(SystemExit):
        await clinic.run("replay", "--republish-since", "2026-11-22T09:00:00")

    assert "name the time zone" in capsys.readouterr().err


async def _tries(db: Database, event_id: UUID) -> int:
    async with db.read() as tx:
        statement = text("SELECT tries FROM dead_letter WHERE event_id = :id")
        return int((await tx.execute(statement, {"id": event_id})).scalar_one())
