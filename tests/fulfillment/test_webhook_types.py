"""Types of webhooks: found by their files, thin, and as the documents say."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.message import Message

from fulfillment.loading import load_webhook_types
from fulfillment.webhook_deliveries.domain import BODY_BYTES_MAX
from fulfillment.webhook_deliveries.service import body_of
from fulfillment.webhook_type import WebhookType
from kit.clock import SystemClock
from kit.messaging.events import topic_of
from tests.contracts.golden import sample

TYPES = load_webhook_types()
README = Path(__file__).parents[2] / "services" / "fulfillment" / "README.md"
SECRET = "XK12-LONG-SECRET-CODE"
PROMISED = {
    "order.paid",
    "order.on_hold",
    "order.completed",
    "order.partially_completed",
    "order.refunded",
    "delivery.failed",
    "stock.low",
    "stock.out",
    "unit.expiring",
    "claim.opened",
    "settlement.closed",
}


def _filled(message: Message, text: str) -> Message:
    """Every text of the message, also deep inside, is `text`."""
    fields: Any = message.DESCRIPTOR.fields  # the stubs mix descriptors of two implementations
    for field in fields:
        value = getattr(message, field.name)
        if field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(message, field.name, text)
        elif field.type == field.TYPE_MESSAGE and not field.is_repeated:
            _filled(value, text)
    return message


def test_what_was_promised_is_there():
    assert {it.name for it in TYPES} >= PROMISED


@pytest.mark.parametrize("webhook", TYPES, ids=lambda it: it.name)
def test_it_names_no_link_code_contact_or_cost(webhook: WebhookType):
    event = sample(webhook.event)

    keys = set(webhook.data(event))

    assert keys
    forbidden = {"url", "units", "mask", "receipt", "email", "phone", "costs", "inputs", "ip"}
    assert keys & forbidden == set()


@pytest.mark.parametrize("webhook", TYPES, ids=lambda it: it.name)
def test_it_stays_thin_whatever_is_in_the_event(webhook: WebhookType):
    event = _filled(sample(webhook.event), "字" * 100_000)
    data = {
        key: value
        for key, value in webhook.data(event).items()
        if not key.endswith("_id") and key not in {"sku"}
    }

    assert len(body_of(webhook.name, SystemClock().now(), data).encode()) < BODY_BYTES_MAX


@pytest.mark.parametrize("webhook", TYPES, ids=lambda it: it.name)
def test_its_body_is_as_the_standard_wants_it(webhook: WebhookType):
    body = body_of(webhook.name, SystemClock().now(), webhook.data(sample(webhook.event)))

    document = orjson.loads(body)
    assert list(document) == ["type", "timestamp", "data"]
    assert document["timestamp"].endswith("Z")


def test_the_readme_lists_each_type_with_its_event_and_topic():
    table = "\n".join(
        f"| `{it.name}` | `{it.event.DESCRIPTOR.name}` ({topic_of(it.event)}) | {it.summary} |"
        for it in TYPES
    )

    assert table in README.read_text(encoding="utf-8"), f"put this into the README:\n{table}"
