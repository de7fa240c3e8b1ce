"""Every event of every service, found by looking: no list is kept by hand."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import lockstock
from lockstock.common.v1 import options_pb2


def event_candidates() -> Iterator[Descriptor]:
    """Messages that are told to others: those of event files that are no part of another."""
    messages = list(_messages())
    parts = {
        field.message_type.full_name
        for message in messages
        for field in message.fields
        if field.message_type is not None
    }
    for message in messages:
        if message.full_name not in parts:
            yield message


def event_classes() -> list[type[Message]]:
    """The classes of all events, in the order of their names."""
    found = [message for message in event_candidates() if topic_of(message)]
    return [GetMessageClass(message) for message in sorted(found, key=lambda it: it.full_name)]


def topic_of(message: Any) -> str:
    # Any, twice: the stubs mix two descriptor types, and leave an extension's type open.
    extensions: Any = message.GetOptions().Extensions
    return str(extensions[options_pb2.topic])


def _messages() -> Iterator[Descriptor]:
    # Looked for as files: the packages have no __init__.py, which pkgutil does not walk into.
    root = Path(next(iter(lockstock.__path__)))
    for path in sorted(root.rglob("*_events_pb2.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        file = importlib.import_module(".".join(parts)).DESCRIPTOR
        yield from file.message_types_by_name.values()
