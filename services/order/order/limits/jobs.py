from kit.db import Database
from kit.periodic import Periodic
from order.limits import service

PRUNE_BATCH_MAX = 1_000
PRUNE_EVERY_SECONDS = 60.0


def prune_limit_uses(db: Database) -> Periodic:
    """Forgets what purchase limits no longer look back to, a bounded batch at a time."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await service.prune(tx, PRUNE_BATCH_MAX) == PRUNE_BATCH_MAX

    return Periodic("prune-limit-uses", PRUNE_EVERY_SECONDS, run)
