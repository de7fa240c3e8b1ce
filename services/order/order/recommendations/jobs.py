from kit.db import Database
from kit.periodic import Periodic
from order.recommendations import service

ORDERS_MAX = 500
ROWS_MAX = 5_000
_COUNT_SECONDS = 2.0
_PRUNE_SECONDS = 3_600


def count_pairs(db: Database) -> Periodic:
    """Counts the orders that ended since the last time, a bounded batch at a time."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await service.count_due(tx, ORDERS_MAX) == ORDERS_MAX

    return Periodic("count-product-pairs", _COUNT_SECONDS, run)


def prune_pairs(db: Database, *, window_days: int) -> Periodic:
    """Forgets the days behind the window, a bounded batch at a time."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await service.prune(tx, window_days, ROWS_MAX) == ROWS_MAX

    return Periodic("prune-product-pairs", _PRUNE_SECONDS, run)
