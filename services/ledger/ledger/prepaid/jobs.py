"""Holds that nobody captures end by the database's clock."""

from kit.db import Database
from kit.periodic import Periodic
from ledger.prepaid.service import EXPIRED_MAX, PrepaidService


def expire_holds(db: Database, prepaid: PrepaidService, every_seconds: float) -> Periodic:
    async def run() -> bool:
        async with db.transaction() as tx:
            return await prepaid.expire(tx) == EXPIRED_MAX

    return Periodic("expire_holds", every_seconds, run)
