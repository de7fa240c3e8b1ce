"""What an event is: a protobuf message with CloudEvents attributes, its aggregate's key and
version.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from lockstock.common.v1 import options_pb2

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Event(Generic[M]):
    """A fact as a consumer sees it. `version` counts the events of (topic, key) from 1, without
    holes. `prepared`: what its handler made before the transaction, None where that did not run.
    """

    id: UUID
    type: str
    topic: str
    key: str
    version: int
    time: datetime
    merchant_id: str | None
    traceparent: str | None
    request_id: str | None
    message: M
    prepared: Any = None


@dataclass(frozen=True, slots=True)
class _Options:
    """What the schema of an event class says about it."""

    type: str
    topic: str
    is_snapshot: bool
    patience: float


# Any: message classes are hashable, but their stubs deny it.
_known: dict[Any, _Options] = {}


def _options_of(message_class: type[Message]) -> _Options:
    """Read once per class: events come by thousands."""
    found = _known.get(message_class)
    if found is None:
        # Any: the generated extension handles carry no types.
        extensions: Any = message_class.DESCRIPTOR.GetOptions().Extensions
        found = _known[message_class] = _Options(
            type=str(message_class.DESCRIPTOR.full_name),
            topic=str(extensions[options_pb2.topic]),
            is_snapshot=bool(extensions[options_pb2.snapshot]),
            patience=int(extensions[options_pb2.patience_ms]) / 1_000,
        )
    return found


def topic_of(message_class: type[Message]) -> str:
    """The topic an event class names in its schema; raises ValueError when it names none."""
    topic = _options_of(message_class).topic
    if not topic:
        raise ValueError(f"{type_of(message_class)} names no topic, so it is not an event")
    return topic


def is_snapshot(message_class: type[Message]) -> bool:
    """True when each event holds the whole state of its key, so earlier ones may be missing."""
    return _options_of(message_class).is_snapshot


def patience_of(message_class: type[Message]) -> float:
    """How long an event of this class may wait for company; seconds."""
    return _options_of(message_class).patience


def type_of(message_class: type[Message]) -> str:
    """The full protobuf name, which is the event's type on the wire."""
    return _options_of(message_class).type


@dataclass(frozen=True, slots=True)
class Cause:
    """What made an event happen: the trace and the request it belongs to."""

    traceparent: str | None
    request_id: str | None


_causes: ContextVar[Mapping[str, Cause] | None] = ContextVar("event_causes", default=None)


@contextmanager
def caused_by(causes: Mapping[str, Cause]) -> Iterator[None]:
    """Within this block an outgoing event continues the trace of the incoming one with its key."""
    token = _causes.set(causes)
    try:
        yield
    finally:
        _causes.reset(token)


def cause_of(key: str) -> Cause | None:
    """The incoming event's trace for an outgoing event of the same key, if there is one."""
    causes = _causes.get()
    return causes.get(key) if causes else None
