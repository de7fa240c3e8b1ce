"""A database of its own for each test, with one table."""

import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest

from onebox import databases

_numbers = itertools.count(1)


@pytest.fixture
async def database_url(postgres: str) -> AsyncIterator[str]:
    name = f"begun_{next(_numbers)}"
    admin = await databases.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}"')
    yield f"{postgres.rsplit('/', 1)[0]}/{name}"
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture
async def watcher(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "CREATE TABLE item (id int CONSTRAINT uq_item UNIQUE DEFERRABLE INITIALLY DEFERRED)"
    )
    yield connection
    await connection.close()
