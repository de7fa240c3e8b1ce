"""Brings bought codes to the vault. A crash anywhere leaves them here, sealed: the same lot is
brought again, and the vault stores it once."""

from fulfillment.arrivals.domain import Arrival
from fulfillment.arrivals.service import ArrivalService
from kit.db import Database
from kit.errors import Unavailable
from kit.logging import get_logger

log = get_logger(__name__)

TOGETHER_MAX = 10


class Carrier:
    def __init__(self, db: Database, arrivals: ArrivalService) -> None:
        self._db = db
        self._arrivals = arrivals

    async def run(self) -> bool:
        """One round; True when more may be waiting."""
        async with self._db.transaction() as tx:
            taken = await self._arrivals.take(tx, TOGETHER_MAX)
        for arrival in taken:
            await self._bring(arrival)
        return len(taken) == TOGETHER_MAX

    async def _bring(self, arrival: Arrival) -> None:
        try:
            answer = await self._arrivals.bring(arrival)
        except Unavailable as error:
            log.warning("codes_wait_for_the_vault", lot_id=str(arrival.lot.lot_id), why=error.code)
            async with self._db.transaction() as tx:
                await self._arrivals.postpone(tx, arrival)
            return
        async with self._db.transaction() as tx:
            await self._arrivals.record(tx, arrival, answer)
