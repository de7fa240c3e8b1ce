from collections.abc import AsyncIterator

import asyncpg
import pytest

from kit.db import Database

_TABLES = """
    CREATE TABLE item (
      id int PRIMARY KEY, size int CONSTRAINT ck_item_size CHECK (size > 0), name text);
    CREATE TABLE part (
      item_id int CONSTRAINT fk_part_item REFERENCES item DEFERRABLE INITIALLY DEFERRED);
"""


@pytest.fixture
async def database_url(empty_database: str) -> str:
    there = await asyncpg.connect(empty_database)
    await there.execute(_TABLES)
    await there.close()
    return empty_database


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    url = database_url.replace("postgresql://", "postgresql+asyncpg://")
    made = Database(url, application_name="statements", pool_size=1)
    yield made
    await made.close()
