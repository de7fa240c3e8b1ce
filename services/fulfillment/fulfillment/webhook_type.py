"""What a type of webhook is. One file each under `fulfillment/webhook_types`, found by its name,
with a `WEBHOOK` in it.

A webhook is thin: ids, states, figures and times. Never a code, a contact, a link or anything a
buyer entered: who wants more reads it with an API key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from lockstock.common.v1.money_pb2 import Money

TEXT_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class WebhookType:
    """`data` words an event of class `event` for shops."""

    name: str
    summary: str
    event: type[Message]
    # Any: each type is about its own message class.
    data: Callable[[Any], Mapping[str, Any]]


def money(value: Money) -> dict[str, Any]:
    """As the API words it."""
    return {"amount": value.amount_minor, "currency": short(value.currency)}


def moment(value: Timestamp) -> str | None:
    """RFC 3339 in UTC, as the API words it; nothing for a time that was not set."""
    if not value.seconds:
        return None
    return datetime.fromtimestamp(value.seconds, UTC).isoformat().replace("+00:00", "Z")


def short(text: str) -> str:
    """A line of somebody's, of a length that keeps the webhook thin."""
    return text[:TEXT_CHARACTERS_MAX]
