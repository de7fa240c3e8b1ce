from kit.db import Database
from kit.periodic import Periodic
from ledger.reconciliations.service import ReconciliationService

EVERY_SECONDS = 86_400.0


def late_payments(db: Database, reconciliations: ReconciliationService) -> Periodic:
    """Once a day: cases for payments that no statement lists."""

    async def run() -> bool:
        return await reconciliations.find_late(db)

    return Periodic("late-payments", EVERY_SECONDS, run)
