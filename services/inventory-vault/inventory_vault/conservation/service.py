from typing import Any

from inventory_vault.alarms.service import raise_alarm
from inventory_vault.conservation import repository
from inventory_vault.lots.domain import Lot
from inventory_vault.lots.service import Conservation, LotService
from kit.db import Database

ROUND_UNITS_MAX = 200_000
"""Units counted row by row per round; a larger lot has a round to itself."""
ROUND_LOTS_MAX = 500

ALARM = "conservation_broken"


class ConservationService:
    """Watches that nothing comes into being and nothing gets lost."""

    def __init__(self, db: Database, lots: LotService) -> None:
        self._db = db
        self._lots = lots

    async def check_books(self) -> int:
        """All lots by their figures: they sum up and none is negative. How many do not."""
        async with self._db.read() as tx:
            broken = await self._lots.list_unbalanced(tx)
        for lot in broken:
            await self._raise(lot, {"check": "books", "levels": _figures(lot)})
        return len(broken)

    async def check_rows(self) -> int:
        """Some lots row by row, those that wait longest first. How many do not agree.

        Books and rows of a lot are read from one snapshot, so sales meanwhile are no alarm.
        """
        async with self._db.read() as tx:
            waiting = await repository.longest_unchecked(tx, ROUND_LOTS_MAX)
        broken, units = 0, 0
        for lot_id, merchant_id, size in waiting:
            units += size
            if units > ROUND_UNITS_MAX and units > size:
                break
            async with self._db.transaction() as tx:
                found = await self._lots.conservation(tx, merchant_id, lot_id)
            async with self._db.transaction() as tx:
                await repository.note_check(tx, lot_id, merchant_id, holds=found.holds)
            if not found.holds:
                broken += 1
                await self._raise(found.lot, _details(found))
        return broken

    async def _raise(self, lot: Lot, details: dict[str, Any]) -> None:
        async with self._db.transaction() as tx:
            await raise_alarm(tx, ALARM, lot.id, merchant_id=lot.merchant_id, **details)


def _details(found: Conservation) -> dict[str, Any]:
    return {"check": "rows", "levels": _figures(found.lot), "counted": found.counted}


def _figures(lot: Lot) -> dict[str, int]:
    return lot.levels.by_name()
