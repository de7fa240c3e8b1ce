import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from onebox.services import SERVICES
from tests.contracts.running import RunningSet, running_set
from tests.contracts.world import Known, furnish
from tests.stack.service_databases import ServiceDatabases


@pytest.fixture(scope="package")
async def database_urls(service_databases: ServiceDatabases) -> AsyncIterator[Mapping[str, str]]:
    """A fresh, migrated database for each service."""
    made = {service.name: await service_databases.create(service.name) for service in SERVICES}
    yield {service: url for service, (_, url) in made.items()}
    for name, _ in made.values():
        await service_databases.drop(name)


@pytest.fixture(scope="package")
def running(database_urls: Mapping[str, str]) -> Iterator[RunningSet]:
    """All five services on real sockets."""
    # A unix socket's path is short: pytest's own folders can be too long for it.
    with (
        tempfile.TemporaryDirectory(prefix="ls-") as folder,
        running_set(database_urls, Path(folder)) as running,
    ):
        yield running


@pytest.fixture(scope="package")
def known(
    running: RunningSet,
    database_urls: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Known:
    """One of each thing, to be found by its id."""
    return furnish(running, database_urls, tmp_path_factory.mktemp("planting"))
