import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from uuid import UUID

from inventory_vault.imports.service import ImportService
from kit.db import Database
from kit.errors import Unavailable
from kit.periodic import Periodic

TAKE_BACK_SECONDS = 5.0
LOOK_SECONDS = 1.0
ALIVE_SECONDS = 5.0
BUSY_RETRY_SECONDS = 30

Item = TypeVar("Item")


class Desk(Generic[Item]):
    """Imports that wait in memory for one of the workers of this process; `busy` is raised when
    too many wait.
    """

    def __init__(
        self,
        db: Database,
        imports: ImportService,
        work_on: Callable[[UUID, Item], Awaitable[None]],
        *,
        name: str,
        busy: type[Unavailable],
        waiting_max: int,
        workers: int = 1,
    ) -> None:
        self._db = db
        self._imports = imports
        self._work_on = work_on
        self._busy = busy
        self._mine: set[UUID] = set()
        self._waiting: asyncio.Queue[tuple[UUID, Item]] = asyncio.Queue(waiting_max + workers)
        self._workers = [
            Periodic(f"{name}-{number}", LOOK_SECONDS, self._work) for number in range(workers)
        ]
        self._alive = Periodic(f"{name}-alive", ALIVE_SECONDS, self._note_alive)

    def jobs(self) -> list[Periodic]:
        return [*self._workers, self._alive]

    def require_room(self) -> None:
        """Raises `busy`."""
        if self._waiting.full():
            raise self._busy(retry_after_seconds=BUSY_RETRY_SECONDS)

    def put(self, import_id: UUID, item: Item) -> None:
        """Raises `busy` when others were faster."""
        self.require_room()
        self._waiting.put_nowait((import_id, item))
        self._mine.add(import_id)
        for worker in self._workers:
            worker.wake()

    async def _work(self) -> bool:
        if self._waiting.empty():
            return False
        import_id, item = self._waiting.get_nowait()
        try:
            await self._work_on(import_id, item)
        finally:
            self._mine.discard(import_id)
        return True

    async def _note_alive(self) -> None:
        if self._mine:
            async with self._db.transaction() as tx:
                await self._imports.note_alive(tx, list(self._mine))


def take_back_failed(db: Database, imports: ImportService) -> Periodic:
    """Failed imports leave nothing behind; those whose process ended wait to be resumed."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await imports.take_back_failed(tx)

    return Periodic("take-back-failed-imports", TAKE_BACK_SECONDS, run)
