from inventory_vault.imports.service import ImportService
from kit.db import Database
from kit.periodic import Periodic

TAKE_BACK_SECONDS = 5.0


def take_back_failed(db: Database, imports: ImportService) -> Periodic:
    """Failed imports leave nothing behind; those whose process ended wait to be resumed."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await imports.take_back_failed(tx)

    return Periodic("take-back-failed-imports", TAKE_BACK_SECONDS, run)
