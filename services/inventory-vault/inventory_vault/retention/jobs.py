from inventory_vault.retention.service import RetentionService
from kit.db import Database
from kit.periodic import Periodic

SHRED_SECONDS = 600.0


def shred_due(db: Database, retention: RetentionService) -> Periodic:
    """What is over the retention time loses its box, batch by batch."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await retention.shred_due(tx)

    return Periodic("shred-after-retention", SHRED_SECONDS, run)
