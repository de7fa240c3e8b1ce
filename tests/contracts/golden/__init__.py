"""The bytes of each version of each event, as they lie in Kafka: readable for ever.

`python -m tests.contracts.golden` (part of `make proto`) adds a file for each event that has none
and for each event that has grown since its newest file. It never changes a file: an old one tells
what old records are.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

FOLDER = Path(__file__).parent
_NAME = re.compile(r"^(?P<event>[\w.]+)\.(?P<version>\d+)\.json$")
_INTEGERS = {
    FieldDescriptor.TYPE_INT32,
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
}


@dataclass(frozen=True, slots=True)
class Golden:
    """What a record of this version holds, and the bytes it lies in."""

    event: str
    version: int
    payload: bytes
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Golden":
        match = _NAME.match(path.name)
        assert match is not None, f"{path.name} is not <event>.<version>.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        payload = base64.b64decode(document["payload"], validate=True)
        return cls(match["event"], int(match["version"]), payload, document["content"])

    def write(self) -> Path:
        """A new file; never over an old one."""
        path = FOLDER / f"{self.event}.{self.version}.json"
        document = {"payload": base64.b64encode(self.payload).decode(), "content": self.content}
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return path


def goldens() -> Iterator[Golden]:
    """All files, the oldest version of an event first."""
    paths = (path for path in FOLDER.iterdir() if path.suffix == ".json")
    yield from sorted(map(Golden.read, paths), key=lambda golden: (golden.event, golden.version))


def newest() -> dict[str, Golden]:
    """Event -> its newest file."""
    return {golden.event: golden for golden in goldens()}


def sample(message_class: type[Message]) -> Message:
    """A message with every field set, the same at every run."""
    message = message_class()
    fields: Any = message.DESCRIPTOR.fields  # the stubs mix descriptors of two implementations
    for field in fields:
        if not field.is_repeated:
            _set(message, field)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            # One entry: the bytes of a map with more have no fixed order.
            key, value = field.message_type.fields
            getattr(message, field.name)[_scalar(key)] = _scalar(value)
        elif field.message_type is not None:
            inner = GetMessageClass(field.message_type)
            getattr(message, field.name).extend([sample(inner), sample(inner)])
        else:
            getattr(message, field.name).extend([_scalar(field), _scalar(field)])
    return message


def as_content(message: Message) -> dict[str, Any]:
    """The message as JSON, with its fields' own names."""
    return MessageToDict(message, preserving_proto_field_name=True)


def _set(message: Message, field: Any) -> None:
    if field.message_type is None:
        setattr(message, field.name, _scalar(field))
        return
    inner = getattr(message, field.name)
    if isinstance(inner, Timestamp):
        inner.FromJsonString("2026-11-22T09:00:00.123456Z")
    else:
        inner.CopyFrom(sample(type(inner)))


def _scalar(field: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return f"{field.name} 卡"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"\x00\xff" + field.name.encode()
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return field.number + 0.5
    assert field.type in _INTEGERS, f"{field.full_name}: say here what a sample of its type is"
    return field.number * 1_000 + 7
