"""Turning what became of orders into messages."""

from fulfillment.messages.service import MessageService
from kit.db import Database


class Telling:
    def __init__(self, db: Database, messages: MessageService) -> None:
        self._db = db
        self._messages = messages

    async def run(self) -> bool:
        """One round; True when more was noted."""
        async with self._db.transaction() as tx:
            return await self._messages.tell(tx)
