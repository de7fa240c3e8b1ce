"""Ends a process that is alive but dead, so that its supervisor starts a live one.

aiokafka has open bugs after which a consumer polls for ever and gets nothing (#1187, #625, #847,
#718): no code inside such a consumer can notice. This is a thread with a broker connection of its
own.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from kit.logging import get_logger
from kit.messaging.metrics import LAG
from kit.messaging.progress import Progress
from kit.messaging.settings import KafkaSettings

EXIT_STALLED = 70
BEAT_SECONDS = 30.0
CHECK_SECONDS = 5.0
PROBE_SECONDS = 8.0

log = get_logger(__name__)


class Watchdog:
    """Exits with 70 when a loop shows no beat for 30 s, or has a backlog and no progress for longer
    than `stall_seconds`, while the brokers can be reached.

    With `group` the backlog is the group's lag, read here (committed against end offsets); else it
    is what `backlog` says.
    """

    def __init__(
        self,
        name: str,
        progress: Progress,
        kafka: KafkaSettings,
        *,
        backlog: Callable[[], int] | None = None,
        group: str | None = None,
        topics: tuple[str, ...] = (),
        stall_seconds: float = 60.0,
    ) -> None:
        self._name = name
        self._progress = progress
        self._probe = _Probe(kafka, group, topics)
        self._backlog = backlog
        self._stall_seconds = stall_seconds
        self.answers = True
        """False while no broker answers (as far as this watchdog had to ask)."""
        self.measured = 0
        """Events that waited when last looked at."""
        self._beat_seconds = min(BEAT_SECONDS, stall_seconds)
        self._check_seconds = min(CHECK_SECONDS, stall_seconds / 4)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watchdog {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The thread ends by itself soon after; it is a daemon, so nothing waits for it."""
        self._stopping.set()

    def _watch(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stopping.wait(self._check_seconds):
                verdict = runner.run(self._judge())
                if verdict is not None and not self._stopping.is_set():
                    log.critical("watchdog_ends_process", watched=self._name, reason=verdict)
                    os._exit(EXIT_STALLED)
            runner.run(self._probe.close())

    async def _judge(self) -> str | None:
        """Why the process must end, or None."""
        now = time.monotonic()
        silent = self._progress.started and now - self._progress.beat_at > self._beat_seconds
        backlog = await self._measure()
        self._tell(answers=backlog is not None)
        if backlog is None:
            return None
        self.measured = backlog
        if silent:
            return f"no sign of life for {now - self._progress.beat_at:.0f} s"
        still = time.monotonic() - self._progress.advanced_at
        if backlog == 0:
            # Whatever is behind from now on has the whole time from now on.
            self._progress.advanced()
        elif still > self._stall_seconds:
            return f"{backlog} events wait and none was handled for {still:.0f} s"
        return None

    def _tell(self, *, answers: bool) -> None:
        """Says once that no broker answers, and once that one does again."""
        if answers != self.answers:
            log.warning(
                "brokers_answer_again" if answers else "no_broker_answers", watched=self._name
            )
        self.answers = answers

    async def _measure(self) -> int | None:
        """The backlog, or None while no broker answers: then nobody can make progress."""
        if self._backlog is not None:
            backlog = self._backlog()
            suspicious = time.monotonic() - self._progress.beat_at > self._beat_seconds / 2
            if (backlog or suspicious) and not await self._probe.reachable():
                return None
            return backlog
        return await self._probe.lag()


class _Probe:
    """A broker connection of the watchdog's own, built when needed and rebuilt after errors."""

    def __init__(self, kafka: KafkaSettings, group: str | None, topics: tuple[str, ...]) -> None:
        self._kafka = kafka
        self._group = group
        self._topics = topics
        # Any: aiokafka has no types.
        self._admin: Any = None
        self._client: Any = None

    async def reachable(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._ready()
                await self._admin.list_topics()
        except (KafkaError, TimeoutError, OSError):
            await self.close()
            return False
        return True

    async def lag(self) -> int | None:
        """How many records the group has not committed yet; None when nobody answers."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._ready()
                return await self._lag()
        except (KafkaError, TimeoutError, OSError) as error:
            log.debug("lag_unknown", error=type(error).__name__)
            await self.close()
            return None

    async def close(self) -> None:
        admin, self._admin = self._admin, None
        client, self._client = self._client, None
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                if admin is not None:
                    await admin.close()
                if client is not None:
                    await client.stop()
        except (KafkaError, TimeoutError, OSError) as error:
            log.debug("probe_did_not_stop", error=type(error).__name__)

    async def _ready(self) -> None:
        if self._admin is not None:
            return
        servers, name = self._kafka.bootstrap_servers, f"{self._group or 'relay'}-watchdog"
        limit_ms = int(PROBE_SECONDS * 1000)
        self._admin = AIOKafkaAdminClient(
            bootstrap_servers=servers, client_id=name, request_timeout_ms=limit_ms
        )
        await self._admin.start()
        if self._group is not None:
            # Without a group id of its own it reads offsets and is no member of anything.
            self._client = AIOKafkaConsumer(
                bootstrap_servers=servers, client_id=name, request_timeout_ms=limit_ms
            )
            await self._client.start()

    async def _lag(self) -> int:
        partitions = await self._partitions()
        committed = await self._admin.list_consumer_group_offsets(self._group)
        ends = await self._client.end_offsets(partitions)
        starts = await self._client.beginning_offsets(partitions)
        lags: dict[str, int] = dict.fromkeys(self._topics, 0)
        for tp in partitions:
            stored = committed.get(tp)
            done = max(starts[tp], stored.offset if stored else 0)
            lags[tp.topic] += max(0, ends[tp] - done)
        for topic, lag in lags.items():
            LAG.labels(self._group, topic).set(lag)
        return sum(lags.values())

    async def _partitions(self) -> list[TopicPartition]:
        described = await self._admin.describe_topics(list(self._topics))
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
