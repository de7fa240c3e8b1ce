from kit.db import Database
from kit.periodic import Periodic
from order.recommendations import service

ROWS_MAX = 5_000
_EVERY_SECONDS = 3_600


def prune_pairs(db: Database, *, window_days: int) -> Periodic:
    """Forgets the days behind the window, a bounded batch at a time."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await service.prune(tx, window_days, ROWS_MAX) == ROWS_MAX

    return Periodic("prune-product-pairs", _EVERY_SECONDS, run)
