"""Opens settlements when they are due and brings open ones to their end; after a crash the next
process goes on.
"""

from kit.db import Database
from kit.periodic import Periodic
from ledger.settlements.service import SETTLEMENTS_MAX, SettlementService


def open_due_settlements(
    db: Database, settlements: SettlementService, every_seconds: float
) -> Periodic:
    async def run() -> bool:
        async with db.transaction() as tx:
            return await settlements.run_due(tx) == SETTLEMENTS_MAX

    return Periodic("open_due_settlements", every_seconds, run)


def close_settlements(
    db: Database, settlements: SettlementService, every_seconds: float
) -> Periodic:
    async def run() -> bool:
        async with db.transaction() as tx:
            return await settlements.advance(tx)

    return Periodic("close_settlements", every_seconds, run)
