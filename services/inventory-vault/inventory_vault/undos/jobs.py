from inventory_vault.undos.service import UndoService
from kit.db import Database
from kit.periodic import Periodic

TAKE_BACK_SECONDS = 2.0


def take_back_undone(db: Database, undos: UndoService) -> Periodic:
    """The units of undone lots go; then their codes can be imported again."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await undos.take_back(tx)

    return Periodic("take-back-undone-lots", TAKE_BACK_SECONDS, run)
