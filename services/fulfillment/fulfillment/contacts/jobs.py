"""Forgetting how buyers were reached, once nothing is told to them any more."""

from fulfillment.contacts.service import ContactService
from kit.db import Database


class Forgetting:
    def __init__(self, db: Database, contacts: ContactService) -> None:
        self._db = db
        self._contacts = contacts

    async def run(self) -> bool:
        """One round; True when more may be over its time."""
        async with self._db.transaction() as tx:
            return await self._contacts.forget(tx)
