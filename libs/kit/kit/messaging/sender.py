"""Outbox rows -> Kafka: at most one unconfirmed batch per partition, every outcome named.

aiokafka traps this file answers: a pipelined `send()` goes on with a partition's next batch after
one expired, which would break the order of a key; an idempotent producer is poisoned for good by
one expired batch (aiokafka#1017), so idempotence is off and the consumers' inbox suppresses
duplicates; after an error of unknown outcome the producer is abandoned, because its state can no
longer be trusted.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidMessageError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.partitioner import DefaultPartitioner

from kit.logging import get_logger
from kit.messaging.envelope import Envelope, to_headers
from kit.messaging.metrics import RELAY_PRODUCERS
from kit.messaging.settings import KafkaSettings

METADATA_SECONDS = 1.0
STOP_SECONDS = 5.0
_ALONE_MAX = 10_000

# The broker's "no" to the record itself: the same record will be refused again.
_REFUSALS = (
    InvalidMessageError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """A row of the outbox: `id` is its place in the queue."""

    id: int
    envelope: Envelope
    payload: bytes


def pending_event(row: Any) -> PendingEvent:
    """Of a row of the outbox with its event."""
    return PendingEvent(
        id=row["id"],
        envelope=Envelope(
            id=row["event_id"],
            type=row["type"],
            topic=row["topic"],
            key=row["key"],
            version=row["version"],
            time=row["at"],
            merchant_id=str(row["merchant_id"]) if row["merchant_id"] else None,
            traceparent=row["traceparent"],
            request_id=row["request_id"],
        ),
        payload=row["payload"],
    )


@dataclass(slots=True)
class Outcome:
    """What became of the rows of one round; rows in neither list were not sent."""

    confirmed: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    missing_topics: set[str] = field(default_factory=set)
    denied_topics: set[str] = field(default_factory=set)
    unknown: str | None = None


class Sender:
    """Owns the producer. Not safe for concurrent calls; the relay calls it from one loop."""

    def __init__(self, kafka: KafkaSettings, service: str) -> None:
        self._kafka = kafka
        self._service = service
        self._source = f"lockstock/{service}"
        self._producer: AIOKafkaProducer | None = None
        self._partitioner = DefaultPartitioner()
        self._alone: set[int] = set()
        self._abandoned: set[asyncio.Task[None]] = set()

    async def send(self, events: Sequence[PendingEvent]) -> Outcome:
        """Sends the first batch of every partition and waits for the broker's word on each.

        Never raises for Kafka's troubles: `unknown` says why a batch's fate is open.
        """
        outcome = Outcome()
        try:
            producer = await self._ready()
            batches = await self._batches(producer, events, outcome)
            await self._deliver(producer, batches, outcome)
        except (KafkaError, TimeoutError, OSError) as error:
            outcome.unknown = outcome.unknown or _words(error)
        if outcome.unknown is not None:
            self._abandon()
        return outcome

    async def close(self) -> None:
        """Ends the producer within a deadline."""
        self._abandon()
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=2 * STOP_SECONDS)

    async def _ready(self) -> AIOKafkaProducer:
        if self._producer is not None:
            return self._producer
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka.bootstrap_servers,
            client_id=f"{self._service}-relay",
            acks="all",
            enable_idempotence=False,
            linger_ms=0,
            compression_type=self._kafka.compression,
            max_batch_size=self._kafka.batch_bytes_max,
            request_timeout_ms=int(self._kafka.request_seconds * 1000),
            metadata_max_age_ms=60_000,
        )
        try:
            async with asyncio.timeout(self._kafka.request_seconds):
                await producer.start()
        except BaseException:
            await _stop(producer)
            raise
        RELAY_PRODUCERS.labels(self._service).inc()
        self._producer = producer
        return producer

    async def _batches(
        self, producer: AIOKafkaProducer, events: Sequence[PendingEvent], outcome: Outcome
    ) -> dict[tuple[str, int], tuple[Any, list[int]]]:
        """One batch per partition, filled in queue order; what does not fit waits for the next
        round.
        """
        partitions = await self._partitions(producer, {e.envelope.topic for e in events}, outcome)
        batches: dict[tuple[str, int], tuple[Any, list[int]]] = {}
        full: set[tuple[str, int]] = set()
        for event in events:
            topic = event.envelope.topic
            if topic not in partitions:
                continue
            key = event.envelope.key.encode()
            place = (topic, self._partitioner(key, partitions[topic], partitions[topic]))
            if place in full:
                continue
            if place not in batches:
                batches[place] = (producer.create_batch(), [])
            builder, ids = batches[place]
            alone = event.id in self._alone
            if (alone and ids) or not self._append(builder, key, event):
                full.add(place)
                continue
            ids.append(event.id)
            if alone:
                full.add(place)
        return batches

    def _append(self, builder: Any, key: bytes, event: PendingEvent) -> bool:
        headers = to_headers(event.envelope, source=self._source)
        added = builder.append(timestamp=None, key=key, value=event.payload, headers=headers)
        return added is not None

    async def _partitions(
        self, producer: AIOKafkaProducer, topics: set[str], outcome: Outcome
    ) -> dict[str, list[int]]:
        partitions: dict[str, list[int]] = {}
        for topic in topics:
            try:
                async with asyncio.timeout(METADATA_SECONDS):
                    partitions[topic] = sorted(await producer.partitions_for(topic))
            except (TimeoutError, UnknownTopicOrPartitionError):
                outcome.missing_topics.add(topic)
            except TopicAuthorizationFailedError:
                outcome.denied_topics.add(topic)
        return partitions

    async def _deliver(
        self,
        producer: AIOKafkaProducer,
        batches: dict[tuple[str, int], tuple[Any, list[int]]],
        outcome: Outcome,
    ) -> None:
        waiting: dict[asyncio.Future[Any], tuple[str, list[int]]] = {}
        async with asyncio.timeout(self._kafka.send_seconds):
            for (topic, partition), (builder, ids) in batches.items():
                builder.close()
                sent = await producer.send_batch(builder, topic, partition=partition)
                waiting[sent] = (topic, ids)
        if not waiting:
            return
        done, late = await asyncio.wait(waiting, timeout=self._kafka.send_seconds)
        for future in done:
            self._note(future, *waiting[future], outcome)
        for future in late:
            future.cancel()
            outcome.unknown = "the broker did not answer within the deadline"

    def _note(
        self, future: asyncio.Future[Any], topic: str, ids: list[int], outcome: Outcome
    ) -> None:
        error = future.exception()
        if error is None:
            outcome.confirmed.extend(ids)
            self._alone.difference_update(ids)
        elif isinstance(error, TopicAuthorizationFailedError):
            outcome.denied_topics.add(topic)
        elif not isinstance(error, _REFUSALS):
            outcome.unknown = _words(error)
        elif len(ids) == 1:
            outcome.refused[ids[0]] = _words(error)
        else:
            # Only one of them may be at fault: next time each goes alone.
            if len(self._alone) > _ALONE_MAX:
                self._alone.clear()
            self._alone.update(ids)

    def _abandon(self) -> None:
        """Leaves the producer behind. Late copies of its batches are duplicates for the inboxes."""
        if self._producer is None:
            return
        task = asyncio.create_task(_stop(self._producer), name="abandoned-producer")
        self._producer = None
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)


async def _stop(producer: AIOKafkaProducer) -> None:
    """`stop()` waits for batches that may never be confirmed: after a deadline only sockets are
    closed.
    """
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (KafkaError, TimeoutError, OSError) as error:
        log.warning("producer_did_not_stop", reason=_words(error))
        sending = producer._sender.sender_task  # noqa: SLF001 - no public way to end it
        if sending is not None:
            sending.cancel()
        await producer.client.close()


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
