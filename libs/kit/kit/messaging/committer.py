"""Offsets are committed behind the work, together, by one task.

A crash between the transaction and this commit brings the events again, and the inbox knows them:
so nothing waits for the broker here, and a busy consumer commits once a second, not once per
batch.
"""

import asyncio
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from kit.logging import get_logger

COMMIT_SECONDS = 10.0
LAST_COMMIT_SECONDS = 3.0
PAUSE_SECONDS = 1.0
RETRY_SECONDS = 1.0

log = get_logger(__name__)


class Committer:
    """Commits the newest finished offset of each partition of one consumer."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._finished: dict[TopicPartition, int] = {}
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()

    def finished(self, partition: TopicPartition, next_offset: int) -> None:
        """Everything before `next_offset` is durable here."""
        self._finished[partition] = next_offset
        self._changed.set()

    async def run(self) -> None:
        """Commits until cancelled."""
        while True:
            await self._changed.wait()
            await self.flush()
            await asyncio.sleep(RETRY_SECONDS if self._changed.is_set() else PAUSE_SECONDS)

    async def flush(self, deadline_seconds: float = COMMIT_SECONDS) -> None:
        """Commits now. A refusal is no error: whoever owns the partitions handles them once."""
        async with self._lock:
            self._changed.clear()
            assigned = self._consumer.assignment()
            offsets = {tp: n for tp, n in self._finished.items() if tp in assigned}
            self._finished.clear()
            if not offsets:
                return
            try:
                async with asyncio.timeout(deadline_seconds):
                    await self._consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError, KafkaError, TimeoutError) as error:
                log.warning("offsets_not_committed", error=type(error).__name__)
                for partition, offset in offsets.items():
                    self._finished.setdefault(partition, offset)
                self._changed.set()

    async def close(self, task: asyncio.Task[None]) -> None:
        """Ends the task and commits what is left."""
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await self.flush(LAST_COMMIT_SECONDS)
