"""Opens settlements that are due and closes them, until it is killed:
`python -m tests.ledger.settlements.closer URL`.
"""

import asyncio
import sys

from ledger.app import create_service
from ledger.settings import Settings


async def main(url: str) -> None:
    settings = Settings(
        database_url=url,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret="s" * 32,
        close_seconds=0.1,
        settle_seconds=0.1,
    )
    service = create_service(settings)
    names = ("open_due_settlements", "close_settlements")
    await asyncio.gather(*(job.run() for job in service.jobs if job.name in names))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
