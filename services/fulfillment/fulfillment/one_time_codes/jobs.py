"""Forgetting codes that are long over."""

from fulfillment.one_time_codes.service import OneTimeCodeService
from kit.db import Database


class Forgetting:
    def __init__(self, db: Database, codes: OneTimeCodeService) -> None:
        self._db = db
        self._codes = codes

    async def run(self) -> bool:
        """One round; True when more may be over."""
        async with self._db.transaction() as tx:
            return await self._codes.forget(tx)
