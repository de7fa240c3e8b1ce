"""Records -> effects: one transaction per batch; when it fails, ever smaller parts until the one
record at fault stands alone, is tried again, and is put aside with its key.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Database
from kit.db_errors import kind_is_transient
from kit.errors import DomainError, ErrorKind
from kit.logging import get_logger
from kit.messaging.handlers import HandlerSet, error_text
from kit.messaging.inbox import Inbox
from kit.messaging.metrics import (
    BATCH_SECONDS,
    BATCH_SIZE,
    DUPLICATES,
    HANDLED,
    RETRIES,
    STORED,
)
from kit.messaging.plan import Failure, Plan, Received, make_plan
from kit.messaging.progress import Progress
from kit.messaging.settings import KafkaSettings
from kit.standby import at_hand

TRIES_MAX = 3
TRY_PAUSE_SECONDS = 0.1
NOT_FOUND_TRIES_MAX = 6
RETRY_PAUSE_SECONDS = 0.1

# Who must act is the sender or an operator: the same event will be refused again.
_FINAL_KINDS = frozenset(
    {ErrorKind.INVALID, ErrorKind.DENIED, ErrorKind.UNAUTHENTICATED, ErrorKind.CONFLICT}
)

log = get_logger(__name__)


class Stopped(Exception):
    """The consumer is to stop, or lost the partition: what is not done yet is left to its
    successor.
    """


class Worker:
    """Applies records through the inbox. Knows nothing of Kafka clients."""

    def __init__(
        self,
        db: Database,
        inbox: Inbox,
        handlers: HandlerSet,
        kafka: KafkaSettings,
        progress: Progress,
    ) -> None:
        self._inbox = inbox
        self._handlers = handlers
        self._kafka = kafka
        self._progress = progress
        self._transaction = at_hand(db)

    async def apply(
        self, records: Sequence[Received], failures: Mapping[UUID, Failure] | None = None
    ) -> Plan:
        """Handles records in one transaction, all or none. Raises whatever a handler raised."""
        started = time.monotonic()
        async with asyncio.timeout(self._kafka.handler_seconds):
            prepared = await self._handlers.prepare(records)
            async with self._transaction() as tx:
                view = await self._inbox.view(tx, records)
                plan = make_plan(records, view.known_ids, view.states, failures)
                handled = [r for r in plan.accepted if r.message is not None]
                await self._handlers.run(tx, handled, prepared)
                await self._inbox.settle(tx, plan)
        self._progress.advanced()
        self._count(plan, len(records), time.monotonic() - started)
        return plan

    async def work_off(self, records: Sequence[Received], stopping: asyncio.Event) -> None:
        """Handles records whatever happens: ends when each is applied or put aside.

        Waits without end for troubles that pass. Raises Stopped when `stopping` is set meanwhile.
        """
        parts: deque[Sequence[Received]] = deque([records])
        while parts:
            part = parts.popleft()
            failure = await self._try(part, stopping)
            if failure is None:
                continue
            if len(part) == 1:
                await self._put_aside(part[0], failure, stopping)
            else:
                middle = len(part) // 2
                parts.extendleft([part[middle:], part[:middle]])

    async def _try(self, part: Sequence[Received], stopping: asyncio.Event) -> Failure | None:
        """None when the part is applied, else why it cannot be."""
        tries = 0
        waits = 0
        while True:
            if stopping.is_set():
                raise Stopped
            try:
                await self.apply(part)
            except Exception as error:
                if _passes(error):
                    waits += 1
                    await self._wait_out(error, waits, stopping)
                    continue
                tries += 1
                if len(part) > 1 or tries >= _tries_max(error):
                    return Failure(error_text(error), tries)
                RETRIES.labels(self._inbox.consumer, "failed").inc()
                await pause(TRY_PAUSE_SECONDS * 2 ** (tries - 1), stopping)
            else:
                return None

    async def _wait_out(self, error: Exception, waits: int, stopping: asyncio.Event) -> None:
        RETRIES.labels(self._inbox.consumer, "unavailable").inc()
        seconds = min(RETRY_PAUSE_SECONDS * 2 ** min(waits - 1, 10), self._kafka.retry_seconds_max)
        log.warning("events_wait", reason=error_text(error), tries=waits, pause_seconds=seconds)
        if kind_is_transient(error):
            # Known and not ours to heal: no reason for the watchdog to end this process.
            self._progress.advanced()
        await pause(seconds, stopping)

    async def _put_aside(self, record: Received, failure: Failure, stopping: asyncio.Event) -> None:
        waits = 0
        while True:
            try:
                await self.apply([record], {record.id: failure})
            except Exception as error:
                if stopping.is_set():
                    raise Stopped from error
                waits += 1
                await self._wait_out(error, waits, stopping)
            else:
                return

    def _count(self, plan: Plan, received: int, seconds: float) -> None:
        consumer = self._inbox.consumer
        BATCH_SIZE.labels(consumer).observe(received)
        BATCH_SECONDS.labels(consumer).observe(seconds)
        if plan.duplicates:
            DUPLICATES.labels(consumer).inc(plan.duplicates)
        for event_type, handled in Counter(r.attributes.type for r in plan.accepted).items():
            HANDLED.labels(consumer, event_type).inc(handled)
        for letter in plan.letters:
            STORED.labels(consumer, letter.cause).inc()
            log.error(
                "event_put_aside",
                cause=letter.cause,
                error=letter.error,
                event_id=str(letter.record.id),
                topic=letter.record.topic,
                partition=letter.record.partition,
                offset=letter.record.offset,
                key=e.key if (e := letter.record.envelope) else None,
                type=e.type if (e := letter.record.envelope) else None,
            )


def _passes(error: Exception) -> bool:
    """True for troubles that time heals."""
    return kind_is_transient(error) or isinstance(error, TimeoutError | ConnectionError)


def _tries_max(error: Exception) -> int:
    if isinstance(error, DomainError):
        if error.kind is ErrorKind.NOT_FOUND:
            return NOT_FOUND_TRIES_MAX
        if error.kind in _FINAL_KINDS:
            return 1
    return TRIES_MAX


async def pause(seconds: float, stopping: asyncio.Event) -> None:
    """Sleeps, but not past `stopping`."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
