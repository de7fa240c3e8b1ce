"""Emptying inboxes of what is long told."""

from fulfillment.inbox.service import InboxService
from kit.db import Database


class Forgetting:
    def __init__(self, db: Database, inbox: InboxService) -> None:
        self._db = db
        self._inbox = inbox

    async def run(self) -> bool:
        """One round; True when more may be over its time."""
        async with self._db.transaction() as tx:
            return await self._inbox.forget(tx)
