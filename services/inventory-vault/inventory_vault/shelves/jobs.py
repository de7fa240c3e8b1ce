from uuid import UUID

from inventory_vault.shelves.service import ShelfService
from kit.db import Database
from kit.periodic import Periodic

EVERY_SECONDS = 5.0
COVER_SECONDS = 300.0
"""Samples are an hour apart; asking more often makes a restart no gap."""


def withdraw_expired(db: Database, shelves: ShelfService) -> Periodic:
    """Units past their own expiry leave the shelf even when nobody asks for them."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await shelves.withdraw_expired(tx)

    return Periodic("withdraw-expired-units", EVERY_SECONDS, run)


def review_cover(db: Database, shelves: ShelfService) -> Periodic:
    """Samples what pools sell, and says when the stock of one will not last."""

    async def run() -> bool:
        after: UUID | None = None
        while True:
            async with db.transaction() as tx:
                after = await shelves.review_cover(tx, after=after)
            if after is None:
                return False

    return Periodic("review-cover", COVER_SECONDS, run)
