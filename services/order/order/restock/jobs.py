from kit.db import Database
from kit.periodic import Periodic
from order.restock import service

LAPSED_MAX = 1_000
_LAPSE_EVERY_SECONDS = 3_600


def tell_due(db: Database, *, every_seconds: float) -> Periodic:
    """Tells those who wait for stock that it is back."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await service.tell_due(tx)

    return Periodic("tell-of-restock", every_seconds, run)


def lapse(db: Database, *, days: int) -> Periodic:
    """Keeps no contact longer than it may be wanted."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await service.lapse(tx, days, LAPSED_MAX) == LAPSED_MAX

    return Periodic("lapse-restock-requests", _LAPSE_EVERY_SECONDS, run)
