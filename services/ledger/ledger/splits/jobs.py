"""What becomes available with time, by the database's clock."""

from kit.db import Database
from kit.periodic import Periodic
from ledger.splits.service import RELEASES_MAX, SplitService


def release_splits(db: Database, splits: SplitService, every_seconds: float) -> Periodic:
    async def run() -> bool:
        counts = []
        for step in (splits.release, splits.release_reserves):
            async with db.transaction() as tx:
                counts.append(await step(tx))
        return max(counts) == RELEASES_MAX

    return Periodic("release_splits", every_seconds, run)
