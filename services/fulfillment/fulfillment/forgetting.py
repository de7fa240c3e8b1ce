"""Forgetting what is over its time: contacts, inboxes, codes, what old messages were about."""

from collections.abc import Awaitable, Callable

from kit.db import Database, Transaction


class Forgetting:
    """`forget` drops a bounded number and says whether more may be over."""

    def __init__(self, db: Database, forget: Callable[[Transaction], Awaitable[bool]]) -> None:
        self._db = db
        self._forget = forget

    async def run(self) -> bool:
        """One round, a transaction; True when more may be over."""
        async with self._db.transaction() as tx:
            return await self._forget(tx)
