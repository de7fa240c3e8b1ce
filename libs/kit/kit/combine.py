"""Combining: calls that wait while one batch runs are served together by the next one.

The cost per call falls as the load rises, and a lone call is served at once: there is no timer.
The idea is group commit (DeWitt et al., SIGMOD 1984), applied to any set-based work.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from typing import Generic, TypeVar

from kit.errors import Unavailable
from kit.tenancy import act_for_nobody

Item = TypeVar("Item")
Result = TypeVar("Result")


class Combiner(Generic[Item, Result]):
    """`await combiner(item)` answers this item's result of `work(items)`.

    `work` answers one result per item, in order; a result that is an exception is raised to its own
    caller only. When `work` itself raises, every caller of that batch gets the error. At most
    `batch_max` items go into one batch, `waiting_max` may wait (beyond: `Unavailable`), and
    `lanes` batches run at once.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | BaseException]]],
        *,
        batch_max: int = 128,
        waiting_max: int = 10_000,
        lanes: int = 1,
    ) -> None:
        self._work = work
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._idle_lanes = lanes
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, item: Item) -> Result:
        if len(self._waiting) >= self._waiting_max:
            raise Unavailable("too many calls are waiting; try again in a second")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._start_lane()
        return await future

    @property
    def has_waiting(self) -> bool:
        """Whether there will be another batch."""
        return bool(self._waiting)

    def _start_lane(self) -> None:
        if self._idle_lanes and self._waiting:
            self._idle_lanes -= 1
            task = asyncio.create_task(self._drain(), context=_for_nobody())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _drain(self) -> None:
        try:
            # One turn of the loop lets callers that are ready in this very tick join the batch.
            await asyncio.sleep(0)
            while self._waiting:
                batch = self._waiting[: self._batch_max]
                del self._waiting[: self._batch_max]
                await self._serve(batch)
        finally:
            self._idle_lanes += 1

    async def _serve(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
        except BaseException as error:
            results = [error] * len(batch)
            if not isinstance(error, Exception):
                self._settle(batch, results)
                raise
        if len(results) != len(batch):
            mismatch = RuntimeError(f"{len(results)} results for {len(batch)} items")
            results = [mismatch] * len(batch)
        self._settle(batch, results)

    @staticmethod
    def _settle(
        batch: list[tuple[Item, asyncio.Future[Result]]],
        results: Sequence[Result | BaseException],
    ) -> None:
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller went away; the work is done all the same
                continue
            if isinstance(result, asyncio.CancelledError):
                future.cancel()
            elif isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)


def _for_nobody() -> Context:
    """The batch is not the first caller's: it has to say for whom it acts."""
    context = copy_context()
    context.run(act_for_nobody)
    return context
