"""The dispatcher: takes due tasks of one kind, works on them together, writes down the outcome.

Three steps, and a crash between any two is harmless: the lease ends, the task is taken again, and
the outside world, asked the same thing under the same reference, answers the same.
"""

from collections.abc import Sequence

from fulfillment.deliveries.domain import Attempt, Kind, Retry, Task
from fulfillment.tasks.service import TaskService
from kit.db import Database
from kit.errors import Unavailable
from kit.logging import get_logger

log = get_logger(__name__)


class Dispatcher:
    def __init__(self, db: Database, tasks: TaskService, kind: Kind, batch_max: int) -> None:
        self._db = db
        self._tasks = tasks
        self._kind = kind
        self._batch_max = min(batch_max, kind.batch_max)

    @property
    def kind(self) -> str:
        return self._kind.name

    @property
    def rounds_max(self) -> int:
        """So many calls of `run` may be under way at a time in one process."""
        return self._kind.rounds_max

    async def run(self) -> bool:
        """One round; True when more tasks may be waiting."""
        # One statement is a transaction by itself: this saves the round trips of BEGIN and COMMIT.
        async with self._db.read() as tx:
            tasks = await self._tasks.take(tx, self._kind, self._batch_max)
        if not tasks:
            return False
        attempts = await self._attempt(tasks)
        await self._record(attempts)
        return len(tasks) == self._batch_max

    async def _attempt(self, tasks: Sequence[Task]) -> Sequence[Attempt]:
        try:
            return await self._kind.attempt(tasks)
        except Unavailable as error:
            log.warning(
                "fulfilment_waits", kind=self._kind.name, tasks=len(tasks), why=error.detail
            )
            return [Retry(task, error.code, task.generation) for task in tasks]
        except Exception as error:
            # A bug or an answer nobody can read. Alone, each task shows whether it is the cause,
            # so one bad task does not hold up its neighbours.
            if len(tasks) > 1:
                return [attempt for task in tasks for attempt in await self._attempt([task])]
            log.exception("fulfilment_failed", kind=self._kind.name, task_id=str(tasks[0].id))
            return [Retry(tasks[0], type(error).__name__, tasks[0].generation)]

    async def _record(self, attempts: Sequence[Attempt]) -> None:
        try:
            async with self._db.transaction() as tx:
                await self._tasks.record(tx, attempts)
        except Unavailable:
            raise
        except Exception:
            if len(attempts) > 1:
                for attempt in attempts:
                    await self._record([attempt])
                return
            # Its lease ends by itself and the task is tried again: an operator sees it repeat.
            log.exception("outcome_not_recorded", task_id=str(attempts[0].task.id))
