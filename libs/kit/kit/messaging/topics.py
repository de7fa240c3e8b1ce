"""Topics exist before anything is sent: made from what the event classes say, never by accident."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from kit.errors import Unavailable
from kit.logging import get_logger
from kit.messaging.events import is_snapshot, topic_of
from kit.messaging.settings import KafkaSettings

ENSURE_SECONDS = 20.0
_CREATE_TIMEOUT_MS = 10_000
_NO_ERROR = 0
_ALREADY_EXISTS = 36

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it must be. `compacted` keeps the newest event of each key for ever."""

    name: str
    partitions: int = 6
    compacted: bool = False
    replication: int = 1
    retention_hours: int = 720

    def configuration(self) -> dict[str, str]:
        if self.compacted:
            return {"cleanup.policy": "compact"}
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_hours * 3_600_000),
        }


def specs_of(messages: Iterable[type[Message]], kafka: KafkaSettings) -> list[TopicSpec]:
    """The topics of these event classes, each once."""
    specs = {
        topic_of(message): TopicSpec(
            name=topic_of(message),
            partitions=kafka.partitions,
            compacted=is_snapshot(message),
            replication=kafka.replication,
            retention_hours=kafka.topic_retention_hours,
        )
        for message in messages
    }
    return list(specs.values())


def specs_of_types(types: Iterable[str], kafka: KafkaSettings) -> list[TopicSpec]:
    """The topics of event types by name, as far as this process knows the types."""
    messages = []
    for name in types:
        with suppress(KeyError):
            descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
            messages.append(message_factory.GetMessageClass(descriptor))
    return specs_of(messages, kafka)


async def ensure_topics(
    bootstrap: str, specs: Sequence[TopicSpec], *, deadline_seconds: float = ENSURE_SECONDS
) -> None:
    """Creates the topics that do not exist yet; leaves existing ones alone. Safe to race.

    Raises Unavailable when the brokers cannot do it within the deadline.
    """
    if not specs:
        return
    try:
        async with asyncio.timeout(deadline_seconds):
            await _create(bootstrap, specs)
    except (TimeoutError, KafkaError, OSError) as error:
        raise Unavailable(f"the topics could not be made: {type(error).__name__}") from error


async def _create(bootstrap: str, specs: Sequence[TopicSpec]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_CREATE_TIMEOUT_MS)
    try:
        await admin.start()
        missing = await _missing(admin, specs)
        if not missing:
            return
        answer = await admin.create_topics(
            [
                NewTopic(
                    name=spec.name,
                    num_partitions=spec.partitions,
                    replication_factor=spec.replication,
                    topic_configs=spec.configuration(),
                )
                for spec in missing
            ],
            timeout_ms=_CREATE_TIMEOUT_MS,
        )
        _check(answer.topic_errors)
    finally:
        await admin.close()


async def _missing(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> list[TopicSpec]:
    existing = set(await admin.list_topics())
    return [spec for spec in specs if spec.name not in existing]


def _check(errors: Sequence[Sequence[object]]) -> None:
    for name, code, *reason in errors:
        if code == _NO_ERROR:
            log.info("topic_created", topic=name)
        elif code != _ALREADY_EXISTS:
            raise Unavailable(f"topic {name} was refused by the broker: code {code} {reason}")
