import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest

from kit.db import Database
from onebox import databases

_numbers = itertools.count(1)
_TABLES = """
    CREATE TABLE item (
      id int PRIMARY KEY, size int CONSTRAINT ck_item_size CHECK (size > 0), name text);
    CREATE TABLE part (
      item_id int CONSTRAINT fk_part_item REFERENCES item DEFERRABLE INITIALLY DEFERRED);
"""


@pytest.fixture
async def database_url(postgres: str) -> AsyncIterator[str]:
    name = f"statements_{next(_numbers)}"
    admin = await databases.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = f"{postgres.rsplit('/', 1)[0]}/{name}"
    there = await asyncpg.connect(url)
    await there.execute(_TABLES)
    await there.close()
    yield url
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    url = database_url.replace("postgresql://", "postgresql+asyncpg://")
    made = Database(url, application_name="statements", pool_size=1)
    yield made
    await made.close()
