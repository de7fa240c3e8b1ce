import itertools
from collections.abc import AsyncIterator

import pytest

from onebox import databases

_numbers = itertools.count(1)


@pytest.fixture
async def empty_database(postgres: str) -> AsyncIterator[str]:
    """The URL of a database of the test's own."""
    name = f"empty_{next(_numbers)}"
    admin = await databases.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}"')
    yield f"{postgres.rsplit('/', 1)[0]}/{name}"
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()
