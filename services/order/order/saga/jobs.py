"""Timers of the saga. The database's clock decides; several workers share the work."""

from kit.db import Database
from kit.periodic import Periodic
from order.saga import service

EXPIRE_BATCH_MAX = 200


def expire_unpaid(db: Database, *, every_seconds: float) -> Periodic:
    """Ends orders that were not paid in time, a bounded batch at a time."""

    async def run() -> bool:
        async with db.transaction() as tx:
            ended = await service.expire_due(tx, EXPIRE_BATCH_MAX)
        return ended == EXPIRE_BATCH_MAX

    return Periodic("expire-unpaid-orders", every_seconds, run)
