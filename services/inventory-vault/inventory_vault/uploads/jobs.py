import asyncio
from uuid import UUID

from inventory_vault.imports.domain import ImportsBusy
from inventory_vault.imports.service import ImportService
from inventory_vault.packer.job import Parcel
from inventory_vault.uploads.service import UploadService
from kit.db import Database
from kit.periodic import Periodic

LOOK_SECONDS = 1.0
ALIVE_SECONDS = 5.0


class ImportDesk:
    """Uploads that wait in memory for one of the workers of this process."""

    def __init__(
        self,
        db: Database,
        imports: ImportService,
        uploads: UploadService,
        *,
        waiting_max: int,
        workers: int,
    ) -> None:
        self._db = db
        self._imports = imports
        self._uploads = uploads
        self._mine: set[UUID] = set()
        self._waiting: asyncio.Queue[tuple[UUID, Parcel]] = asyncio.Queue(waiting_max + workers)
        self._workers = [
            Periodic(f"import-{number}", LOOK_SECONDS, self._work) for number in range(workers)
        ]

    def jobs(self) -> list[Periodic]:
        return [*self._workers, Periodic("imports-alive", ALIVE_SECONDS, self._note_alive)]

    def require_room(self) -> None:
        """Raises ImportsBusy."""
        if self._waiting.full():
            raise ImportsBusy(retry_after_seconds=30)

    def put(self, import_id: UUID, parcel: Parcel) -> None:
        """Raises ImportsBusy when others were faster."""
        try:
            self._waiting.put_nowait((import_id, parcel))
        except asyncio.QueueFull:
            raise ImportsBusy(retry_after_seconds=30) from None
        self._mine.add(import_id)
        for worker in self._workers:
            worker.wake()

    async def _work(self) -> bool:
        if self._waiting.empty():
            return False
        import_id, parcel = self._waiting.get_nowait()
        try:
            await self._uploads.work_on(import_id, parcel)
        finally:
            self._mine.discard(import_id)
        return True

    async def _note_alive(self) -> None:
        if self._mine:
            async with self._db.transaction() as tx:
                await self._imports.note_alive(tx, list(self._mine))
