import asyncio
from uuid import UUID

from inventory_vault.imports.service import ImportService
from inventory_vault.vouchers.domain import Generation, GenerationsBusy
from inventory_vault.vouchers.service import VoucherService
from kit.db import Database
from kit.periodic import Periodic

LOOK_SECONDS = 1.0
ALIVE_SECONDS = 10.0
WAITING_MAX = 64


class GenerationDesk:
    """Orders for vouchers that wait for this process's worker, one at a time."""

    def __init__(self, db: Database, imports: ImportService, vouchers: VoucherService) -> None:
        self._db = db
        self._imports = imports
        self._vouchers = vouchers
        self._mine: set[UUID] = set()
        self._waiting: asyncio.Queue[tuple[UUID, Generation]] = asyncio.Queue(WAITING_MAX)
        self._worker = Periodic("generate-vouchers", LOOK_SECONDS, self._work)

    def jobs(self) -> list[Periodic]:
        return [self._worker, Periodic("generations-alive", ALIVE_SECONDS, self._note_alive)]

    def require_room(self) -> None:
        """Raises GenerationsBusy."""
        if self._waiting.full():
            raise GenerationsBusy(retry_after_seconds=30)

    def put(self, import_id: UUID, wanted: Generation) -> None:
        """Raises GenerationsBusy when others were faster."""
        try:
            self._waiting.put_nowait((import_id, wanted))
        except asyncio.QueueFull:
            raise GenerationsBusy(retry_after_seconds=30) from None
        self._mine.add(import_id)
        self._worker.wake()

    async def _work(self) -> bool:
        if self._waiting.empty():
            return False
        import_id, wanted = self._waiting.get_nowait()
        try:
            await self._vouchers.work_on(import_id, wanted)
        finally:
            self._mine.discard(import_id)
        return True

    async def _note_alive(self) -> None:
        if self._mine:
            async with self._db.transaction() as tx:
                await self._imports.note_alive(tx, list(self._mine))
