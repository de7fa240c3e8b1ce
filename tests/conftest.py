"""What every test may ask for: a real PostgreSQL, a real Kafka, migrated databases per service."""

import gc
import itertools
import logging
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from kit.logging import configure_logging
from kit.loop import calm_collector
from onebox.kafka import EmbeddedKafka
from onebox.ports import free_ports
from onebox.postgres import EmbeddedPostgres
from tests.stack.run_dir import make_run_dir
from tests.stack.service_databases import PASSWORD, ServiceDatabases
from tests.stack.sharing import PlaceScheduling, longest_first

_numbers = itertools.count(1)
ServiceDatabase = Callable[[str], Awaitable[str]]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> PlaceScheduling:
    return PlaceScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        longest_first(items)


def pytest_collectstart() -> None:
    """Until the tests are collected, all that is made stays: the collector would look in vain."""
    gc.disable()


def pytest_collection_finish() -> None:
    """As services do: a worker would look at all its modules again and again."""
    gc.enable()
    calm_collector()


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """The folder of this run; gone at its end."""
    path = make_run_dir()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def folder(run_dir: Path) -> Path:
    """An empty folder that the account of PostgreSQL can enter."""
    path = run_dir / f"test-{next(_numbers)}"
    path.mkdir()
    return path


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Everything that is logged during the test, down to DEBUG, as a service would write it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logging("tests", log_format="json", level="DEBUG")
    log = StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log)
    yield log
    configure_logging("tests", log_format="console", level="WARNING")
    root.handlers = handlers
    root.setLevel(level)


# What only a machine's crash would need. What the tests kill are processes: what those have
# written is the system's, whether it is on the disk or not. tests/onebox has servers with it on.
UNFLUSHED = {"fsync": "off", "full_page_writes": "off", "wal_compression": "off"}


@pytest.fixture(scope="session")
async def postgres(run_dir: Path) -> AsyncIterator[str]:
    """The administrator's URL of a real server, started for this run."""
    port = free_ports(1)[0]
    server = EmbeddedPostgres(run_dir / "postgres", port, PASSWORD, settings=UNFLUSHED)
    await server.start()
    yield server.url
    await server.stop()


@pytest.fixture(scope="session")
async def kafka(run_dir: Path) -> AsyncIterator[str]:
    """host:port of a real single-node broker, started when the first test asks for it."""
    broker = EmbeddedKafka(run_dir / "kafka", *free_ports(2))
    await broker.start()
    yield broker.bootstrap
    await broker.stop()


@pytest.fixture(scope="session")
def service_databases(postgres: str) -> ServiceDatabases:
    """The template databases of this run."""
    return ServiceDatabases(postgres)


@pytest.fixture
async def service_database(
    service_databases: ServiceDatabases,
) -> AsyncIterator[ServiceDatabase]:
    """`await service_database("order")` -> URL of a fresh, migrated database, dropped later."""
    names: list[str] = []

    async def create(service: str) -> str:
        name, url = await service_databases.create(service)
        names.append(name)
        return url

    yield create
    for name in names:
        await service_databases.drop(name)
