"""Commands of the ledger besides serving: `python -m ledger rebuild-reports`."""

import sys

from kit.service import open_database
from ledger.rollups.repository import RollupRepository
from ledger.rollups.service import RollupService
from ledger.settings import Settings


async def rebuild_reports(settings: Settings, _: list[str]) -> None:
    """Makes the roll-ups of the reports anew from the facts and the postings. Sales go on; the
    worker waits with what it has to post until this ends.
    """
    db = open_database(settings)
    try:
        async for progress in RollupService(RollupRepository()).rebuild(db):
            sys.stdout.write(f"{progress.part}: {progress.done} of {progress.total}\n")
            sys.stdout.flush()
    finally:
        await db.close()
