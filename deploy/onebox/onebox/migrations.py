"""python -m onebox.migrations order risk ...: brings the databases of these services up to date.

The same as `python -m <service> migrate` for each of them, in one process: loading the libraries
costs more than migrating. Topics are made by the services' own workers.
"""

import asyncio
import os
import sys

from kit.db import new_metadata
from kit.migrate import migrate
from onebox.services import Service, service_named


async def migrate_all(services: list[Service]) -> None:
    """One after the other (Alembic keeps its state in globals).

    Each database's URL is in the environment, as its service reads it.
    """
    for service in services:
        await migrate(service.package, os.environ[f"{service.prefix}DATABASE_URL"], new_metadata())


if __name__ == "__main__":
    asyncio.run(migrate_all([service_named(name) for name in sys.argv[1:]]))
