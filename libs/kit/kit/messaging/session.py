"""One Kafka client of a consumer: the fast lane for all, a slow lane per partition in trouble."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from kit.logging import get_logger
from kit.messaging.committer import Committer
from kit.messaging.handlers import HandlerSet, error_text
from kit.messaging.plan import Key, Received
from kit.messaging.worker import Stopped, Worker

REVOKE_SECONDS = 5.0
WAITING_RECORDS_MAX = 1_000
"""So many make a transaction, however patient they are."""

NEVER = float("inf")

log = get_logger(__name__)

Batches = Mapping[TopicPartition, Sequence[ConsumerRecord]]


class _Lane:
    """A partition in trouble: paused at the broker, its records worked off one part at a time."""

    def __init__(self, records: Sequence[Received]) -> None:
        self.waiting: list[Sequence[Received]] = [records]
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Session(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Takes what polls bring, keeps the lanes and the commits. Ends by `close`."""

    def __init__(
        self,
        client: AIOKafkaConsumer,
        worker: Worker,
        handlers: HandlerSet,
        release: Callable[[], Awaitable[None]],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.client = client
        self._worker = worker
        self._handlers = handlers
        self._release = release
        self._committer = Committer(client)
        self._lanes: dict[TopicPartition, _Lane] = {}
        self._waiting: dict[TopicPartition, list[Received]] = {}
        self._next_offsets: dict[TopicPartition, int] = {}
        self._due = NEVER
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks = tasks
        self._committing = tasks.create_task(self._committer.run())

    @property
    def patience(self) -> float:
        """How long those that wait for company still may; seconds."""
        return max(0.0, self._due - time.monotonic())

    async def take(self, batches: Batches) -> int:
        """Handles what polls brought and cannot wait in one transaction; in trouble, each partition
        by itself. Answers how many records could not wait.

        Records that may wait for company do: those of patient events, and those nobody here
        handles, which only move the inbox on. They share a transaction of their own, so that who
        cannot wait does not wait for them; only those of the same keys go along, in their order.
        """
        now, urgent, keys = time.monotonic(), 0, set[Key | None]()
        if not self._waiting:
            # Those that it was for may have gone with their partition.
            self._due = NEVER
        for tp, records in batches.items():
            read = [self._read(record) for record in records]
            self._next_offsets[tp] = records[-1].offset + 1
            if tp in self._lanes:
                # Fetched before the partition was paused: behind what the lane works on.
                self._lanes[tp].waiting.append(read)
                continue
            self._waiting.setdefault(tp, []).extend(read)
            hurried = [record for record in read if not record.patience]
            urgent += len(hurried)
            keys |= {record.key for record in hurried}
            self._due = min([self._due, *(now + it.patience for it in read if it.patience)])
        if urgent:
            await self._apply(keys)
        if self._waiting and (self.patience == 0 or self._are_many()):
            await self._apply()
        return urgent

    async def _apply(self, keys: Collection[Key | None] | None = None) -> None:
        """All that waits; with `keys` only what has these, and what cannot wait."""
        waiting, self._waiting = self._waiting, {}
        read: dict[TopicPartition, list[Received]] = {}
        for tp, records in waiting.items():
            for record in records:
                goes = keys is None or not record.patience or record.key in keys
                (read if goes else self._waiting).setdefault(tp, []).append(record)
        if not self._waiting:
            self._due = NEVER
        ends = {tp: self._end_of_done(tp) for tp in read}
        self._idle.clear()
        try:
            plan = await self._worker.apply([r for records in read.values() for r in records])
            for tp, end in ends.items():
                self._committer.finished(tp, end)
            if plan.fills_gap:
                await self._release()
        except Exception as error:
            log.warning("batch_failed", reason=error_text(error), partitions=len(read))
            for tp in read:
                self._waiting.pop(tp, None)
                self._open_lane(tp, waiting[tp])
        finally:
            self._idle.set()

    def _end_of_done(self, tp: TopicPartition) -> int:
        """The offset to begin with after a crash, once all that does not wait now is done."""
        left = self._waiting.get(tp)
        return left[0].offset if left else self._next_offsets[tp]

    def _are_many(self) -> bool:
        return sum(map(len, self._waiting.values())) >= WAITING_RECORDS_MAX

    async def close(self) -> None:
        """Lets running transactions end, then commits what is done."""
        self._waiting.clear()
        await self._leave(list(self._lanes))
        await self._committer.close(self._committing)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish, commit, let go: the next owner starts behind what is done here."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REVOKE_SECONDS):
                await self._idle.wait()
        for tp in revoked:
            self._waiting.pop(tp, None)
        await self._leave(list(revoked))
        await self._committer.flush()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing to prepare: the inbox knows what was done."""
        log.info("partitions_assigned", count=len(list(assigned)))

    def _read(self, record: ConsumerRecord) -> Received:
        return self._handlers.read(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.headers,
            record.value,
        )

    def _open_lane(self, tp: TopicPartition, records: Sequence[Received]) -> None:
        with suppress(IllegalStateError):
            self.client.pause(tp)
        lane = _Lane(records)
        self._lanes[tp] = lane
        lane.task = self._tasks.create_task(self._run_lane(tp, lane))

    async def _run_lane(self, tp: TopicPartition, lane: _Lane) -> None:
        try:
            while lane.waiting:
                records = lane.waiting[0]
                await self._worker.work_off(records, lane.stopping)
                self._committer.finished(tp, records[-1].offset + 1)
                await self._release()
                # Last, and with no await before the lane is closed: a poll may append meanwhile.
                lane.waiting.pop(0)
        except Stopped:
            return
        finally:
            if self._lanes.get(tp) is lane:
                del self._lanes[tp]
        with suppress(IllegalStateError):
            self.client.resume(tp)

    async def _leave(self, partitions: Sequence[TopicPartition]) -> None:
        """Ends the lanes of these partitions behind the transaction that runs now."""
        lanes = [self._lanes[tp] for tp in partitions if tp in self._lanes]
        for lane in lanes:
            lane.stopping.set()
        tasks = [lane.task for lane in lanes if lane.task is not None]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=REVOKE_SECONDS)
        for task in late:
            task.cancel()
