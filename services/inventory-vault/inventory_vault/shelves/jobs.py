from inventory_vault.shelves.service import ShelfService
from kit.db import Database
from kit.periodic import Periodic

EVERY_SECONDS = 5.0


def withdraw_expired(db: Database, shelves: ShelfService) -> Periodic:
    """Units past their own expiry leave the shelf even when nobody asks for them."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await shelves.withdraw_expired(tx)

    return Periodic("withdraw-expired-units", EVERY_SECONDS, run)
