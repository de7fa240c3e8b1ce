from kit.db import Database
from kit.periodic import Periodic
from risk.open_orders.service import OpenOrderService

DROP_SECONDS = 600.0


def drop_lost_orders(db: Database, open_orders: OpenOrderService) -> Periodic:
    """An order whose end was never heard of counts no more."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await open_orders.drop_lost(tx)

    return Periodic("drop-lost-orders", DROP_SECONDS, run)
