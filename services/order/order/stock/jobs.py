"""Asks the vault about sold-out pools now and then: holds that are given back, released quarantines
and the like bring units back without an event.
"""

from kit.db import Database
from kit.periodic import Periodic
from order.stock import service
from order.vault import Vault

POOLS_MAX = 20


def ask_for_stock(
    db: Database, vault: Vault, *, every_seconds: float, ask_seconds: float
) -> Periodic:
    """Each sold-out pool once in `ask_seconds`; the vault is asked outside any transaction."""

    async def run() -> bool:
        async with db.transaction() as tx:
            pools = await service.take_sold_out(tx, seconds=ask_seconds, limit=POOLS_MAX)
        for pool in pools:
            units = await vault.available(pool.merchant_id, pool.pool_id)
            if units:
                async with db.transaction() as tx:
                    await service.note_back(tx, pool, units)
        return len(pools) == POOLS_MAX

    return Periodic("ask-for-stock", every_seconds, run)
