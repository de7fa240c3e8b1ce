"""What runs before all handlers of a batch."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kit.db import Database, Transaction
from kit.ids import new_id
from kit.messaging.envelope import Envelope
from kit.messaging.events import Event, type_of
from kit.messaging.handlers import HandlerSet, handles
from kit.messaging.plan import Received
from tests.kit.messaging.stage import event_class, new_topic


async def test_what_comes_first_is_called_once_with_all_events_that_name_it(db: Database):
    calls: list[tuple[str, list[str]]] = []

    async def first(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        calls.append(("first", sorted(event.key for event in events)))

    async def handle(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        calls.append(("handler", sorted(event.key for event in events)))

    one, two, other = (event_class(new_topic()) for _ in range(3))
    handlers = HandlerSet(
        [
            handles(other, handle),
            replace(handles(one, handle), first=first),
            replace(handles(two, handle), first=first),
            replace(handles(two, handle), first=first),
        ]
    )

    async with db.transaction() as tx:
        await handlers.run(tx, [_record(other, "a"), _record(one, "b"), _record(two, "c")])
        await handlers.run(tx, [_record(other, "d")])

    assert calls[0] == ("first", ["b", "c"])
    assert sorted(calls[1:]) == [
        ("handler", ["a"]),
        ("handler", ["b"]),
        ("handler", ["c"]),
        ("handler", ["c"]),
        ("handler", ["d"]),
    ]


def _record(message_class: Any, key: str) -> Received:
    topic = f"topic-of-{key}"
    envelope = Envelope(
        new_id(), type_of(message_class), topic, key, 1, datetime.now(UTC), None, None, None
    )
    return Received(
        topic=topic,
        partition=0,
        offset=1,
        record_key=key.encode(),
        headers=(),
        payload=b"",
        id=envelope.id,
        envelope=envelope,
        message=message_class(),
    )
