"""Event <-> Kafka record: CloudEvents 1.0 in binary mode, Protobuf payload.

Two extensions: `ce_aggversion` counts the events of the key, `ce_merchantid` names the merchant.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

KEY_CHARACTERS_MAX = 200

Headers = Sequence[tuple[str, bytes | None]]

_SPEC_VERSION = b"1.0"
_CONTENT_TYPE = b"application/protobuf"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event's attributes without its message."""

    id: UUID
    type: str
    topic: str
    key: str
    version: int
    time: datetime
    merchant_id: str | None
    traceparent: str | None
    request_id: str | None


def is_key(text: str) -> bool:
    """True for what can be an event's key."""
    return 0 < len(text) <= KEY_CHARACTERS_MAX and "\0" not in text


class Unreadable(Exception):
    """A record that is not an event of ours; the text says what is wrong with it."""


def to_headers(envelope: Envelope, *, source: str) -> list[tuple[str, bytes]]:
    """The record's headers; `source` names the service, e.g. `lockstock/order`."""
    headers = [
        ("ce_specversion", _SPEC_VERSION),
        ("ce_id", str(envelope.id).encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", envelope.time.isoformat().encode()),
        ("ce_subject", envelope.key.encode()),
        ("ce_aggversion", str(envelope.version).encode()),
        ("content-type", _CONTENT_TYPE),
    ]
    for name, value in (
        ("ce_merchantid", envelope.merchant_id),
        ("traceparent", envelope.traceparent),
        ("request-id", envelope.request_id),
    ):
        if value is not None:
            headers.append((name, value.encode()))
    return headers


def read_envelope(topic: str, key: bytes | None, headers: Headers) -> Envelope:
    """Raises Unreadable naming the attribute that is missing or wrong."""
    if key is None:
        raise Unreadable("the record has no key")
    values = _texts(headers)
    time = _required(values, "ce_time")
    version = _required(values, "ce_aggversion")
    identity = _required(values, "ce_id")
    try:
        return Envelope(
            id=UUID(identity),
            type=_required(values, "ce_type"),
            topic=topic,
            key=_key(key),
            version=_version(version),
            time=_moment(time),
            merchant_id=values.get("ce_merchantid"),
            traceparent=values.get("traceparent"),
            request_id=values.get("request-id"),
        )
    except ValueError as error:
        raise Unreadable(f"an attribute is malformed: {error}") from error


def headers_to_json(headers: Headers) -> list[list[str | None]]:
    """Headers as JSON that keeps every byte: [name, encoding, value]."""
    return [_header_to_json(name, value) for name, value in headers]


def headers_from_json(stored: Iterable[Sequence[str | None]]) -> list[tuple[str, bytes | None]]:
    """The inverse of `headers_to_json`."""
    return [_header_from_json(str(name), encoding, value) for name, encoding, value in stored]


def _header_to_json(name: str, value: bytes | None) -> list[str | None]:
    name = name.replace("\0", "")
    if value is None:
        return [name, "null", None]
    if value.isascii() and b"\0" not in value:
        return [name, "text", value.decode("ascii")]
    return [name, "base64", base64.b64encode(value).decode("ascii")]


def _header_from_json(
    name: str, encoding: str | None, value: str | None
) -> tuple[str, bytes | None]:
    if value is None:
        return name, None
    return name, base64.b64decode(value) if encoding == "base64" else value.encode("ascii")


def _texts(headers: Headers) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        if value is None:
            continue
        try:
            texts[name] = value.decode()
        except UnicodeDecodeError as error:
            raise Unreadable(f"header {name!r} is not UTF-8") from error
        if "\0" in texts[name]:
            raise Unreadable(f"header {name!r} holds a NUL")
    return texts


def _required(values: dict[str, str], name: str) -> str:
    if not values.get(name):
        raise Unreadable(f"header {name} is missing")
    return values[name]


def _key(key: bytes) -> str:
    text = key.decode()
    if not is_key(text):
        raise ValueError(f"the key has not 1 to {KEY_CHARACTERS_MAX} characters, or a NUL")
    return text


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("ce_time names no time zone")
    return moment


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18) or int(text) == 0:
        raise ValueError("ce_aggversion is not a number from 1")
    return int(text)
