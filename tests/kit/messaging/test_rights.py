"""A broker that grants no right to one topic: the events of the others go on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.protocol.admin import CreateAclsRequest

from kit.db import Database
from kit.messaging import relay as relaying
from kit.messaging.relay import Relay
from kit.messaging.settings import KafkaSettings
from kit.messaging.topics import ensure_topics, specs_of
from onebox.kafka import EmbeddedKafka
from onebox.ports import free_ports
from tests.kit.messaging.stage import (
    event_class,
    new_topic,
    publish_each,
    read_topic,
    running,
    until,
    version_of,
)

ROWS_MAX = 5
ALL, DESCRIBE = 2, 8
US, SOMEBODY = "User:ANONYMOUS", "User:somebody"
_TOPIC, _LITERAL, _ALLOW = 2, 3, 3


class _Guarded(EmbeddedKafka):
    """A topic without rules is open to all; one with rules to those that they name."""

    def _write_settings(self) -> Path:
        path = super()._write_settings()
        with path.open("a") as settings:
            settings.write(
                "\nauthorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
                "\nallow.everyone.if.no.acl.found=true\n"
            )
        return path


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    broker = _Guarded(tmp_path_factory.mktemp("guarded"), *free_ports(2))
    await broker.start()
    yield broker.bootstrap
    await broker.stop()


@pytest.mark.parametrize(
    ("operation", "principal"),
    [(ALL, SOMEBODY), (DESCRIBE, US)],
    ids=["not even seen", "seen, not written"],
)
async def test_a_topic_without_rights_holds_up_no_other(
    db: Database,
    database_url: str,
    guarded: str,
    monkeypatch: pytest.MonkeyPatch,
    operation: int,
    principal: str,
):
    monkeypatch.setattr(relaying, "TOPIC_PAUSE_SECONDS", 1.0)
    kafka = KafkaSettings(bootstrap_servers=guarded, relay_rows_max=ROWS_MAX)
    denied, granted = new_topic(), new_topic()
    classes = [event_class(denied), event_class(granted)]
    await ensure_topics(guarded, specs_of(classes, kafka))
    await _allow(guarded, denied, operation, principal)
    await until(lambda: _is_denied(guarded, denied))
    await publish_each(db, classes[0], "a", 2 * ROWS_MAX)
    await publish_each(db, classes[1], "a", 2 * ROWS_MAX)
    relay = Relay(database_url, kafka, "test")

    async def arrived(topic: str) -> bool:
        return len(await _sent(guarded, topic)) == 2 * ROWS_MAX

    async with running(relay):
        await until(lambda: arrived(granted))
        told = relay.condition()
        await _allow(guarded, denied, ALL, US)
        await until(lambda: arrived(denied))
        after = relay.condition()

    assert denied in told
    assert granted not in told
    assert after == "ok"
    for topic in (denied, granted):
        assert await _sent(guarded, topic) == list(range(1, 2 * ROWS_MAX + 1))


async def _allow(bootstrap: str, topic: str, operation: int, principal: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin._send_request(
            CreateAclsRequest(_TOPIC, topic, _LITERAL, principal, "*", operation, _ALLOW)
        )
        assert [code for code, _ in answer.creation_responses] == [0]
    finally:
        await admin.close()


async def _is_denied(bootstrap: str, topic: str) -> bool:
    """The rule is known to the broker a moment after it was made."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        try:
            await producer.send_and_wait(topic, b"", key=b"not ours")
        except TopicAuthorizationFailedError:
            return True
    return False


async def _sent(bootstrap: str, topic: str) -> list[int]:
    return [version_of(r) for r in await read_topic(bootstrap, topic) if r.key == b"a"]
