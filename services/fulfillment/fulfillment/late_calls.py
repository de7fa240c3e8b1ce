"""Calls of suppliers that outlast their turn: each goes on by itself, and what they answer is
written down together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fulfillment.calling import Turn
from fulfillment.connector import Report
from kit.combine import Combiner
from kit.db import Database
from kit.logging import get_logger

log = get_logger(__name__)

TOGETHER_MAX = 50
LATE_MAX = 200
"""So many under way, and a turn waits for some of them before it begins more: a machine that cannot
keep up would begin ever more calls and hear the answer of none in time."""

Answered = tuple[Turn, Report]


class LateCalls:
    """`write` puts answers down, all of them or none."""

    def __init__(self, write: Callable[[Database, Sequence[Answered]], Awaitable[None]]) -> None:
        self._write = write
        self._tasks: set[asyncio.Task[None]] = set()
        self._write_together = Combiner(self._write_many, batch_max=TOGETHER_MAX)

    @property
    def under_way(self) -> int:
        """How many have not been written down yet."""
        return len(self._tasks)

    def go_on(self, db: Database, turn: Turn, call: asyncio.Task[Report]) -> None:
        """Its answer is written down when it comes."""
        task = asyncio.create_task(self._finish(db, turn, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def make_room(self, seconds: float) -> None:
        """Waits until fewer than LATE_MAX are under way; no longer than `seconds`, because a silent
        supplier is not to stop the others.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while self.under_way >= LATE_MAX and (left := ends - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Calls that are still under way end with the process: they are asked for afterwards."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _finish(self, db: Database, turn: Turn, call: asyncio.Task[Report]) -> None:
        report = await call
        try:
            await self._write_together((db, turn, report))
        except Exception:
            # The purchase stays `sent`: the next turn asks for it.
            log.exception("answer_not_recorded", purchase_id=str(turn.purchase.id))

    async def _write_many(
        self, late: Sequence[tuple[Database, Turn, Report]]
    ) -> list[BaseException | None]:
        """Each by itself where all together fail."""
        db = late[0][0]
        try:
            await self._write(db, [(turn, report) for _, turn, report in late])
        except Exception as error:
            if len(late) == 1:
                return [error]
            return [(await self._write_many([each]))[0] for each in late]
        return [None] * len(late)
