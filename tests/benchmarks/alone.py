"""A database of one service, on a server of its own."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from onebox.ports import free_ports
from onebox.postgres import EmbeddedPostgres
from tests.stack.service_databases import PASSWORD, ServiceDatabases


@asynccontextmanager
async def own_database(service_name: str) -> AsyncIterator[str]:
    """The service's URL of its migrated database; everything is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="lockstock-bench-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "postgres", free_ports(1)[0], PASSWORD)
    try:
        await server.start()
        _, url = await ServiceDatabases(server.url).create(service_name)
        yield url
    finally:
        await server.stop()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
