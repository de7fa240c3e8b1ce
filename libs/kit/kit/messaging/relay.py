"""Outbox -> Kafka. One leader per service; the others stand by and forward wake-ups to it.

Leadership is an advisory lock of one dedicated connection, and rows leave the queue on that very
connection: a leader whose connection died cannot delete, so its rows are sent again (a duplicate,
never a loss). A leader that was stopped (SIGSTOP) is idle, so the server ends its session and the
lock with it. When it wakes up, its open batch may reach Kafka a second time: both leaders send the
same rows from the earliest unconfirmed one, so the first copy of each event is in order and the
inboxes drop the later one.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import asyncpg

from kit.alarm import Alarm
from kit.errors import Unavailable
from kit.logging import get_logger
from kit.messaging.metrics import (
    OUTBOX_PENDING,
    RELAY_DENIED,
    RELAY_LEADER,
    RELAY_REFUSED,
    RELAY_SENT,
)
from kit.messaging.pace import Pace
from kit.messaging.progress import Progress
from kit.messaging.sender import Outcome, PendingEvent, Sender, pending_event
from kit.messaging.settings import KafkaSettings
from kit.messaging.topics import ensure_topics, specs_of_types
from kit.messaging.watchdog import Watchdog

REST_SECONDS = 0.05
BUSY_EVENTS_PER_SECOND = 500
SENT_SECONDS = 0.2
"""So long what was sent may stay in the queue, when nothing else is to be sent."""
TIDY_ROWS = 1_000
TIDY_SECONDS = 2.0
LOCK_CLASS = 7001
LOCK_ID = 0
CHANNEL = "lockstock_outbox"
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 5.0
NOTIFY_PAUSE_SECONDS = 0.02
TOPIC_PAUSE_SECONDS = 10.0
COUNT_EVERY_SECONDS = 5.0
REFUSALS_MAX = 5
ERROR_PAUSE_SECONDS = 0.1
ERROR_PAUSE_SECONDS_MAX = 3.0

log = get_logger(__name__)


# InternalClientError is what asyncpg raises when the server dies in the middle of a statement.
_DATABASE_TROUBLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class Relay:
    """Publishes what transactions of this service put into the outbox. Runs in each process."""

    def __init__(
        self,
        database_url: str,
        kafka: KafkaSettings,
        service: str,
        *,
        stall_seconds: float = 60.0,
    ) -> None:
        self._dsn = database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
        self._kafka = kafka
        self._service = service
        self._sender = Sender(kafka, service)
        self._alarm = Alarm()
        self._stop_asked = asyncio.Event()
        self._stopped = asyncio.Event()
        # Sent, and to leave the queue with the next look at it.
        self._confirmed: list[int] = []
        self._refusals: dict[int, int] = {}
        self._resting_topics: dict[str, float] = {}
        self._denied_topics: set[str] = set()
        self._counted_at = 0.0
        self._dead_rows = 0
        self._tidied_at = 0.0
        self.progress = Progress()
        self.backlog = 0
        self.leads = False
        self._watchdog = Watchdog(
            f"{service} relay",
            self.progress,
            kafka,
            backlog=lambda: self.backlog,
            stall_seconds=stall_seconds,
        )

    def wake(self, patience: float = 0.0) -> None:
        """Look at the outbox within `patience` seconds: a transaction with events has committed."""
        self._alarm.ring(patience)

    def condition(self) -> str:
        """ "ok", or what an operator should know."""
        if not self._watchdog.answers:
            return "no broker answers; events wait in the outbox"
        if self._denied_topics:
            topics = ", ".join(sorted(self._denied_topics))
            return f"the broker grants no right to write to {topics}; events wait in the outbox"
        return "ok"

    async def run(self) -> None:
        """Relays until `stop()`; database and broker troubles are waited out."""
        self._watchdog.start()
        failures = 0
        try:
            while not self._stop_asked.is_set():
                try:
                    await self._term()
                    failures = 0
                except _DATABASE_TROUBLE as e:
                    failures += 1
                    log.warning("relay_waits_for_database", error=_words(e), failures=failures)
                    self.progress.beat()
                    self.progress.advanced()
                    await self._pause(ERROR_PAUSE_SECONDS * 2 ** min(failures, 10))
        finally:
            self._watchdog.stop()
            await self._sender.close()
            self._stopped.set()

    async def stop(self) -> None:
        """Ends after the round that runs now and gives up the lead."""
        self._stop_asked.set()
        self._alarm.ring()
        await self._stopped.wait()

    async def _term(self) -> None:
        """One connection's life: stand by, lead, give up."""
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await self._connect()
        try:
            if await self._stand_by(connection):
                await self._lead(connection)
        finally:
            self.leads = False
            self.backlog = 0
            self._denied_topics = set()
            RELAY_LEADER.labels(self._service).set(0)
            await _close(connection)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            server_settings={
                "application_name": f"{self._service}-relay",
                "idle_session_timeout": str(int(self._kafka.leader_idle_seconds * 1000)),
                "lock_timeout": "2000",
                "statement_timeout": str(int(STATEMENT_SECONDS * 1000)),
                # A lost delete after a crash of the server is a duplicate, which inboxes suppress.
                "synchronous_commit": "off",
                # The queue is read by its own order whatever the statistics of an hour ago say.
                "enable_hashjoin": "off",
                "enable_mergejoin": "off",
                "enable_seqscan": "off",
                "jit": "off",
            },
        )

    async def _stand_by(self, connection: asyncpg.Connection) -> bool:
        """Waits for the lead; meanwhile tells the leader, wherever it runs, about commits here."""
        tried_at = -self._kafka.leader_check_seconds
        while not self._stop_asked.is_set():
            self.progress.beat()
            if time.monotonic() - tried_at >= self._kafka.leader_check_seconds:
                tried_at = time.monotonic()
                if await connection.fetchval(_TRY_LOCK, LOCK_CLASS, LOCK_ID):
                    return True
            rang = await self._alarm.wait(self._kafka.leader_check_seconds)
            if rang and not self._stop_asked.is_set():
                self._alarm.clear()
                # At most one notice per pause: each takes a server-wide lock at its commit.
                await connection.execute(_NOTIFY)
                await asyncio.sleep(NOTIFY_PAUSE_SECONDS)
        return False

    async def _lead(self, connection: asyncpg.Connection) -> None:
        self.leads = True
        RELAY_LEADER.labels(self._service).set(1)
        log.info("relay_leads", relay=self._service)
        await connection.add_listener(CHANNEL, lambda *_: self.wake())
        failures = 0
        self._confirmed = []
        pace = Pace(busy_per_second=BUSY_EVENTS_PER_SECOND, rest_seconds=REST_SECONDS)
        while not self._stop_asked.is_set():
            self.progress.beat()
            self._alarm.clear()
            events = await self._next(connection)
            await self._count(connection, len(events))
            if not events:
                self.progress.advanced()
                await self._alarm.wait(self._kafka.relay_poll_seconds)
                continue
            outcome = await self._sender.send(events)
            await self._settle(connection, events, outcome)
            was_full = self._is_full(events)
            await asyncio.sleep(pace.rest_after(len(events), was_full=was_full))
            failures = failures + 1 if outcome.unknown is not None else 0
            if outcome.unknown is not None:
                log.warning("relay_waits_for_broker", error=outcome.unknown, failures=failures)
                await self._pause(ERROR_PAUSE_SECONDS * 2 ** min(failures, 10))
            elif len(outcome.confirmed) == len(events) and not was_full:
                # Whatever else commits rings; nobody looks for what is not there.
                await self._alarm.wait(min(SENT_SECONDS, self._kafka.relay_poll_seconds))
        await self._forget_confirmed(connection)

    def _is_full(self, events: Sequence[PendingEvent]) -> bool:
        """Whether a round holds as much as it may: then more may wait."""
        size = sum(len(event.payload) for event in events)
        return len(events) >= self._kafka.relay_rows_max or size >= self._kafka.relay_bytes_max

    async def _next(self, connection: asyncpg.Connection) -> list[PendingEvent]:
        """What is to be sent; what was sent leaves the queue in the same statement."""
        now = time.monotonic()
        self._resting_topics = {t: at for t, at in self._resting_topics.items() if at > now}
        kafka, confirmed = self._kafka, self._confirmed
        rows = await connection.fetch(
            _NEXT,
            kafka.relay_rows_max,
            kafka.relay_bytes_max,
            list(self._resting_topics),
            confirmed,
        )
        self._confirmed = []
        await self._tidy(connection, len(confirmed))
        return [pending_event(row) for row in rows]

    async def _forget_confirmed(self, connection: asyncpg.Connection) -> None:
        """Should this fail they are sent again, as after a crash."""
        confirmed, self._confirmed = self._confirmed, []
        if confirmed:
            await connection.execute(_CONFIRM, confirmed)

    async def _settle(
        self, connection: asyncpg.Connection, events: Sequence[PendingEvent], outcome: Outcome
    ) -> None:
        if outcome.confirmed:
            self._confirmed = outcome.confirmed
            RELAY_SENT.labels(self._service).inc(len(outcome.confirmed))
            self.progress.advanced()
        if outcome.missing_topics:
            await self._make_topics(events, outcome.missing_topics)
        self._note_denied(events, outcome)
        if outcome.refused:
            # What a parked key takes along from the queue must not have been sent.
            await self._forget_confirmed(connection)
        for event in events:
            if event.id in outcome.refused:
                await self._refused(connection, event, outcome.refused[event.id])

    async def _make_topics(self, events: Sequence[PendingEvent], missing: set[str]) -> None:
        """A topic is missing (first start, wiped broker): make it; meanwhile the others go on."""
        log.warning("topics_missing", topics=sorted(missing))
        types = {e.envelope.type for e in events if e.envelope.topic in missing}
        try:
            await ensure_topics(
                self._kafka.bootstrap_servers,
                specs_of_types(types, self._kafka),
                deadline_seconds=self._kafka.request_seconds,
            )
        except Unavailable as error:
            log.warning("topics_not_made", topics=sorted(missing), reason=error.detail)
            self._rest(missing)

    def _note_denied(self, events: Sequence[PendingEvent], outcome: Outcome) -> None:
        """Rights are granted by an operator: till then the others go on."""
        if self._denied_topics:
            confirmed = set(outcome.confirmed)
            self._denied_topics -= {e.envelope.topic for e in events if e.id in confirmed}
        if not outcome.denied_topics:
            return
        log.error("topics_denied", topics=sorted(outcome.denied_topics))
        for topic in outcome.denied_topics:
            RELAY_DENIED.labels(self._service, topic).inc()
        self._denied_topics |= outcome.denied_topics
        self._rest(outcome.denied_topics)

    def _rest(self, topics: set[str]) -> None:
        pause_until = time.monotonic() + TOPIC_PAUSE_SECONDS
        self._resting_topics |= dict.fromkeys(topics, pause_until)

    async def _tidy(self, connection: asyncpg.Connection, confirmed: int) -> None:
        """Sweeps the dead rows at the head of the queue, which every round would step over.

        Autovacuum looks once a minute: by then a busy queue has a hundred thousand of them.
        """
        self._dead_rows += confirmed
        if self._dead_rows >= TIDY_ROWS and time.monotonic() - self._tidied_at >= TIDY_SECONDS:
            await connection.execute(_TIDY)
            self._dead_rows, self._tidied_at = 0, time.monotonic()

    async def _refused(
        self, connection: asyncpg.Connection, event: PendingEvent, cause: str
    ) -> None:
        """The broker says no to this record: after some tries it and its key are put aside."""
        tries = self._refusals.pop(event.id, 0) + 1
        if tries < REFUSALS_MAX:
            self._refusals[event.id] = tries
            await self._pause(ERROR_PAUSE_SECONDS)
            return
        envelope = event.envelope
        async with connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = on")
            # Waits for writers of the key that have not committed yet; later ones see it parked.
            await connection.execute(_PARK_KEY, envelope.topic, envelope.key)
            await connection.execute(_PARK_ROWS, envelope.topic, envelope.key, event.id, cause)
        RELAY_REFUSED.labels(self._service).inc()
        log.error(
            "event_refused_by_broker",
            event_id=str(envelope.id),
            topic=envelope.topic,
            key=envelope.key,
            type=envelope.type,
            cause=cause,
        )

    async def _count(self, connection: asyncpg.Connection, taken: int) -> None:
        """The true backlog every few seconds; the rows of this round in between."""
        self.backlog = taken
        if time.monotonic() - self._counted_at < COUNT_EVERY_SECONDS:
            return
        self._counted_at = time.monotonic()
        OUTBOX_PENDING.labels(self._service).set(await connection.fetchval(_COUNT))

    async def _pause(self, seconds: float) -> None:
        """A pause that ends at once when the relay is to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, ERROR_PAUSE_SECONDS_MAX)):
                await self._stop_asked.wait()


async def _close(connection: asyncpg.Connection) -> None:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=2)
    connection.terminate()


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


_TRY_LOCK = "SELECT pg_try_advisory_lock($1, $2)"
_TIDY = "VACUUM (TRUNCATE false, PROCESS_TOAST false) outbox_pending"
_NOTIFY = f"NOTIFY {CHANNEL}"
_COUNT = "SELECT count(*) FROM outbox_pending"
# The first row always, then as many as fit into the memory a round may take. OFFSET 0 keeps the
# planner from turning the join round: planned while the log is small, it would read all of it.
_NEXT = """
    WITH sent AS (DELETE FROM outbox_pending WHERE id = ANY($4::bigint[]))
    SELECT * FROM (
      SELECT p.id, e.event_id, e.topic, e.key, e.version, e.type, e.merchant_id, e.traceparent,
             e.request_id, e.payload, e.at,
             sum(octet_length(e.payload)) OVER (ORDER BY p.id ROWS UNBOUNDED PRECEDING)
               - octet_length(e.payload) AS bytes_before
      FROM outbox_pending p
      CROSS JOIN LATERAL (SELECT * FROM event_log WHERE id = p.id OFFSET 0) e
      WHERE e.topic <> ALL($3::text[]) AND p.id <> ALL($4::bigint[])
      ORDER BY p.id LIMIT $1
    ) AS next
    WHERE bytes_before < $2 ORDER BY id
"""
_CONFIRM = "DELETE FROM outbox_pending WHERE id = ANY($1::bigint[])"
_PARK_KEY = "UPDATE outbox_key SET parked = true WHERE topic = $1 AND key = $2"
_PARK_ROWS = """
    WITH moved AS (
      DELETE FROM outbox_pending p USING event_log e
      WHERE e.id = p.id AND e.topic = $1 AND e.key = $2 RETURNING p.id
    )
    INSERT INTO outbox_dead (id, cause)
    SELECT id, CASE WHEN id = $3 THEN $4::text ELSE 'the key is parked' END FROM moved
"""
