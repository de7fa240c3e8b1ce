"""Drops statistics that nobody reads any more."""

from fulfillment.routing.service import RoutingService
from kit.db import Database


class Pruner:
    def __init__(self, db: Database, routing: RoutingService) -> None:
        self._db = db
        self._routing = routing

    async def run(self) -> bool:
        """One round; True when there may be more."""
        async with self._db.transaction() as tx:
            return await self._routing.prune(tx)
