"""A database of its own for each test, with one table."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

import kit.standby
from kit.db import Database
from kit.standby import KEPT_MAX, Standby
from tests.kit.begun.items import open_database


@pytest.fixture
def database_url(empty_database: str) -> str:
    return empty_database


@pytest.fixture
async def watcher(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "CREATE TABLE item (id int CONSTRAINT uq_item UNIQUE DEFERRABLE INITIALLY DEFERRED)"
    )
    yield connection
    await connection.close()


@pytest.fixture
async def db(database_url: str, watcher: asyncpg.Connection) -> AsyncIterator[Database]:
    made = open_database(database_url, pool_size=KEPT_MAX + 1)
    yield made
    await made.close()


@pytest.fixture
def standby(db: Database, monkeypatch: pytest.MonkeyPatch) -> Standby:
    """It keeps its connections however busy the machine is."""
    monkeypatch.setattr(kit.standby, "IDLE_SECONDS_MAX", 60.0)
    return Standby(db)
