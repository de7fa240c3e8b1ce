"""Kafka -> handlers. Whole batches while all is well; a partition in trouble goes its own slow lane
while the others flow. Offsets are committed after the work, and what comes twice is known to the
inbox.

Every await on aiokafka has a deadline: it has open bugs that leave a consumer alive but dead
(#1187, #625, #847, #718). What no deadline can see, the watchdog ends.
"""

import asyncio
import math
import zlib
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from kit.db import Database
from kit.errors import DomainError, Unavailable
from kit.logging import get_logger
from kit.messaging.handlers import Handler, HandlerSet, error_text, handles
from kit.messaging.inbox import Inbox
from kit.messaging.letters import release_ready
from kit.messaging.pace import Pace
from kit.messaging.progress import Progress
from kit.messaging.session import Session
from kit.messaging.settings import KafkaSettings
from kit.messaging.topics import ensure_topics, specs_of
from kit.messaging.watchdog import Watchdog
from kit.messaging.worker import Worker, pause
from kit.tenancy import for_every_merchant

__all__ = ["Consumer", "Handler", "handles"]

LAG_NOTICED = 10_000
POLL_SECONDS = 0.5
REST_SECONDS = 0.05
BUSY_RECORDS_PER_SECOND = 120
POLL_DEADLINE_SECONDS = 30.0
START_SECONDS = 30.0
STOP_SECONDS = 8.0
RELEASE_EVERY_SECONDS = 10.0
ERROR_PAUSE_SECONDS = 0.5
ERROR_PAUSE_SECONDS_MAX = 5.0
FETCH_WAIT_MS = 250
POLL_INTERVAL_MS_MAX = 120_000
METADATA_AGE_MS = 30_000

log = get_logger(__name__)


class Consumer:
    """A worker of the consumer group `group`. Each event has its effect once, in order per key.

    `patience`: how long events may wait here for company, in seconds, where nobody waits for what
    they do. Batches are so far apart; one that comes after a while of silence is handled at once.
    """

    def __init__(
        self,
        db: Database,
        kafka: KafkaSettings,
        group: str,
        handlers: Sequence[Handler],
        *,
        patience: float = 0.0,
        stall_seconds: float = 60.0,
    ) -> None:
        self._db = db
        self._kafka = kafka
        self._group = group
        self._patience = patience
        self._handlers = HandlerSet(handlers, patience=patience)
        self._inbox = Inbox(group)
        self.progress = Progress()
        self._worker = Worker(db, self._inbox, self._handlers, kafka, self.progress)
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._watchdog = Watchdog(
            f"{group} consumer",
            self.progress,
            kafka,
            group=group,
            topics=self._handlers.topics,
            stall_seconds=stall_seconds,
        )

    def condition(self) -> str:
        """ "ok", or what an operator should know."""
        if not self._watchdog.answers:
            return "no broker answers"
        lag = self._watchdog.measured
        return "ok" if lag <= LAG_NOTICED else f"{lag} events behind"

    async def run(self) -> None:
        """Consumes until `stop()`; broker and database troubles are waited out."""
        with for_every_merchant("events of any merchant"):
            await self._loop()

    async def _loop(self) -> None:
        self._watchdog.start()
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    await self._session()
                    failures = 0
                except (KafkaError, TimeoutError, OSError, Unavailable) as error:
                    failures += 1
                    log.warning("consumer_restarts", group=self._group, reason=error_text(error))
                    self.progress.beat()
                    seconds = ERROR_PAUSE_SECONDS * 2 ** min(failures, 10)
                    await pause(min(seconds, ERROR_PAUSE_SECONDS_MAX), self._stopping)
        finally:
            self._watchdog.stop()
            self._stopped.set()

    async def stop(self) -> None:
        """Finishes the batch that runs now, commits, leaves."""
        self._stopping.set()
        await self._stopped.wait()

    async def _session(self) -> None:
        """One client's life."""
        await ensure_topics(
            self._kafka.bootstrap_servers, specs_of(self._handlers.message_classes, self._kafka)
        )
        client = self._client()
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._work(client, tasks)
        except BaseExceptionGroup as group:
            trouble = _trouble(group)
            if trouble is None:
                raise
            raise trouble from group
        finally:
            await _stop(client)

    async def _work(self, client: AIOKafkaConsumer, tasks: asyncio.TaskGroup) -> None:
        session = Session(client, self._worker, self._handlers, self._release, tasks)
        client.subscribe(topics=list(self._handlers.topics), listener=session)
        releasing = tasks.create_task(self._release_now_and_then())
        try:
            async with asyncio.timeout(START_SECONDS):
                await client.start()
            await self._poll(session)
        finally:
            releasing.cancel()
            await session.close()

    def _client(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._kafka.bootstrap_servers,
            client_id=f"{self._group}-{self._kafka.member}",
            group_id=self._group,
            group_instance_id=f"{self._group}-{self._kafka.member}-{self._topics_mark()}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=self._kafka.consumer_records_max,
            session_timeout_ms=int(self._kafka.session_seconds * 1000),
            heartbeat_interval_ms=int(self._kafka.session_seconds * 1000 / 3),
            max_poll_interval_ms=POLL_INTERVAL_MS_MAX,
            rebalance_timeout_ms=int(self._kafka.session_seconds * 1000),
            request_timeout_ms=int(self._kafka.session_seconds * 1000) + 5_000,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=METADATA_AGE_MS,
        )

    def _topics_mark(self) -> str:
        """Part of a static member's name: its successor after a crash gets its partitions at once,
        without another look at what it reads. So who reads other topics is another member.
        """
        return f"{zlib.crc32(','.join(self._handlers.topics).encode()):08x}"

    async def _poll(self, session: Session) -> None:
        pace = Pace(busy_per_second=BUSY_RECORDS_PER_SECOND, rest_seconds=REST_SECONDS)
        while not self._stopping.is_set():
            wait_ms = math.ceil(min(session.patience, POLL_SECONDS) * 1000)
            async with asyncio.timeout(POLL_DEADLINE_SECONDS):
                batches = await session.client.getmany(timeout_ms=wait_ms)
            self.progress.beat()
            urgent = await session.take(batches)
            self.progress.beat()
            was_full = sum(map(len, batches.values())) >= self._kafka.consumer_records_max
            rest = pace.rest_after(urgent, was_full=was_full)
            if batches and not was_full:
                # Unread records keep the client from fetching: what comes meanwhile costs nothing.
                rest = max(rest, self._patience)
            await (pause(rest, self._stopping) if rest else asyncio.sleep(0))

    async def _release_now_and_then(self) -> None:
        """Finds held events that a crash left behind."""
        while True:
            await self._release()
            await asyncio.sleep(RELEASE_EVERY_SECONDS)

    async def _release(self) -> None:
        """Applies held events whose missing one has arrived."""
        try:
            await release_ready(self._db, self._inbox, self._handlers)
        except DomainError as error:
            log.warning("held_events_wait", reason=error_text(error))


def _trouble(group: BaseExceptionGroup) -> Exception | None:
    """The broker's or database's trouble in a group, when the group holds nothing worse."""
    troubles, others = group.split((KafkaError, TimeoutError, OSError, Unavailable))
    if others is not None or troubles is None:
        return None
    first: BaseException = troubles
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, Exception) else None


async def _stop(client: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await client.stop()
    except (KafkaError, TimeoutError, OSError) as error:
        log.warning("consumer_did_not_stop", reason=error_text(error))
