"""A service's handlers, and how a batch of records is run through them in one transaction."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from google.protobuf.message import DecodeError, Message
from sqlalchemy.exc import DBAPIError

from kit.db import Transaction
from kit.errors import DomainError
from kit.logging import redact_text
from kit.messaging.envelope import Headers, Unreadable, read_envelope
from kit.messaging.events import (
    Cause,
    Event,
    M,
    caused_by,
    is_snapshot,
    patience_of,
    topic_of,
    type_of,
)
from kit.messaging.plan import Received, waves

ERROR_TEXT_CHARACTERS_MAX = 500
_NOTHING: Mapping[UUID, Any] = MappingProxyType({})
QUIET_SECONDS = 0.5
"""How long events that nobody here handles wait for company."""


@dataclass(frozen=True, slots=True)
class Handler:
    """What a service does with one type of event; made by `handles`."""

    message_class: type[Message]
    # Any: the list of a service's handlers mixes message classes; `handles` checks each pair.
    fn: Callable[[Transaction, Sequence[Event[Any]]], Awaitable[None]]
    one_per_key: bool = False
    before: Callable[[Sequence[Event[Any]]], Awaitable[Sequence[Any]]] | None = None
    first: Callable[[Transaction, Sequence[Event[Any]]], Awaitable[None]] | None = None
    """Runs in the transaction before any handler of the batch, once, with all events of the batch
    whose handlers name it: the place to lock what they are going to change, in one order.
    """

    @property
    def type(self) -> str:
        return type_of(self.message_class)

    @property
    def topic(self) -> str:
        return topic_of(self.message_class)


def handles(
    message_class: type[M],
    fn: Callable[[Transaction, Sequence[Event[M]]], Awaitable[None]],
    *,
    one_per_key: bool = False,
    before: Callable[[Sequence[Event[M]]], Awaitable[Sequence[Any]]] | None = None,
) -> Handler:
    """Gives every event of a class to `fn`, in batches: one call, one transaction.

    Events of a key come in order. A key may occur several times in a batch unless `one_per_key`.
    `fn` raises to refuse: Unavailable and Limited are tried again without end, NotFound for a few
    seconds, anything else a few times; then the event that fails alone is put aside.

    `before` runs before the transaction begins: calls to others belong there. It answers one thing
    per event, which `fn` finds in `event.prepared`. It may run for an event that `fn` never gets
    (known already, held back) and several times for one that it gets.
    """
    return Handler(message_class, fn, one_per_key, before)


class HandlerSet:
    """All handlers of a consumer group, by type. `patience`: how long their consumer lets events
    wait anyway; seconds.
    """

    def __init__(self, handlers: Sequence[Handler], *, patience: float = 0.0) -> None:
        self._by_type: dict[str, list[Handler]] = {}
        for handler in handlers:
            self._by_type.setdefault(handler.type, []).append(handler)
        self._before = {h.type: h.before for h in handlers if h.before is not None}
        self._first: dict[Callable[..., Awaitable[None]], set[str]] = {}
        for handler in handlers:
            if handler.first is not None:
                self._first.setdefault(handler.first, set()).add(handler.type)
        self._one_per_key = frozenset(h.type for h in handlers if h.one_per_key)
        self._snapshot_topics = frozenset(h.topic for h in handlers if is_snapshot(h.message_class))
        self.topics = tuple(sorted({handler.topic for handler in handlers}))
        self.message_classes = tuple({handler.message_class for handler in handlers})
        self._patience = patience

    def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        record_key: bytes | None,
        headers: Headers,
        payload: bytes | None,
    ) -> Received:
        """A record with whatever can be understood of it; never raises for bad records."""
        place: dict[str, Any] = {
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "record_key": record_key,
            "headers": headers,
            "payload": payload,
        }
        try:
            envelope = read_envelope(topic, record_key, headers)
        except (Unreadable, UnicodeDecodeError) as error:
            return Received(**place, id=place_id(topic, partition, offset), problem=str(error))
        snapshot = topic in self._snapshot_topics
        place |= {"id": envelope.id, "envelope": envelope, "is_snapshot": snapshot}
        handlers = self._by_type.get(envelope.type)
        if handlers is None:
            return Received(**place, patience=QUIET_SECONDS)
        if payload is None:
            return Received(**place, problem="the record has no payload")
        message_class = handlers[0].message_class
        try:
            message = message_class.FromString(payload)
        except DecodeError as error:
            return Received(**place, problem=f"the payload is not a {envelope.type}: {error}")
        patience = max(0.0, patience_of(message_class) - self._patience)
        return Received(**place, message=message, patience=patience)

    async def prepare(self, records: Sequence[Received]) -> Mapping[UUID, Any]:
        """What handlers make of events before the transaction, by event."""
        prepared: dict[UUID, Any] = {}
        for event_type, before in self._before.items():
            events = [r.to_event() for r in records if r.message and r.is_of(event_type)]
            if events:
                made = await before(events)
                prepared |= {event.id: it for event, it in zip(events, made, strict=True)}
        return prepared

    async def run(
        self,
        tx: Transaction,
        accepted: Sequence[Received],
        prepared: Mapping[UUID, Any] = _NOTHING,
    ) -> None:
        """Calls the handlers; what they publish continues the trace of the event that caused it."""
        with caused_by(_causes(accepted)):
            for first, types in self._first.items():
                theirs = [it.to_event() for it in accepted if it.attributes.type in types]
                if theirs:
                    await first(tx, theirs)
            for event_type, records in waves(accepted, self._one_per_key):
                events = [record.to_event(prepared.get(record.id)) for record in records]
                for handler in self._by_type[event_type]:
                    await handler.fn(tx, events)


def place_id(topic: str, partition: int, offset: int) -> UUID:
    """An id for a record that brings none: the same at every delivery."""
    return uuid5(NAMESPACE_URL, f"kafka:{topic}/{partition}/{offset}")


def error_text(error: BaseException) -> str:
    """What went wrong, fit for a table: never statement parameters, which may hold anything."""
    if isinstance(error, DomainError):
        text = f"{error.code}: {error.detail}"
    elif isinstance(error, DBAPIError):
        lines = str(error.orig).splitlines() or [""]
        text = f"{type(error).__name__}: {lines[0]}"
    else:
        text = f"{type(error).__name__}: {error}"
    return redact_text(text)[:ERROR_TEXT_CHARACTERS_MAX]


def _causes(accepted: Iterable[Received]) -> Mapping[str, Cause]:
    return {
        record.envelope.key: Cause(record.envelope.traceparent, record.envelope.request_id)
        for record in accepted
        if record.envelope is not None
    }
