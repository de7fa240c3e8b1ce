"""Asks once more for what was given up, and for codes that must be sealed anew."""

from fulfillment.purchases.service import PurchaseService
from kit.db import Database

TOGETHER_MAX = 20


class Asker:
    def __init__(self, db: Database, purchases: PurchaseService) -> None:
        self._db = db
        self._purchases = purchases

    async def run(self) -> bool:
        """One round; True when more may be waiting."""
        return await self._purchases.ask_again(self._db, TOGETHER_MAX)
