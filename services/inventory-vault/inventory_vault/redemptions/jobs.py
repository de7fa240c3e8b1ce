from inventory_vault.redemptions.service import RedemptionService
from kit.db import Database
from kit.periodic import Periodic

FORGET_SECONDS = 60.0


def forget_wrong_codes(db: Database, redemptions: RedemptionService) -> Periodic:
    """Keeps the table of wrong codes as small as the number of those who are limited."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await redemptions.forget_wrong_codes(tx)

    return Periodic("forget-wrong-codes", FORGET_SECONDS, run)
