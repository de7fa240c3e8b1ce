"""Brings open settlements to their end; after a crash the next process goes on."""

from kit.db import Database
from kit.periodic import Periodic
from ledger.settlements.service import SettlementService


def close_settlements(
    db: Database, settlements: SettlementService, every_seconds: float
) -> Periodic:
    async def run() -> bool:
        async with db.transaction() as tx:
            return await settlements.advance(tx)

    return Periodic("close_settlements", every_seconds, run)
