"""A database that takes no connection, or nothing to write, is trouble that passes: no event is put
aside for it.
"""

import asyncio
from urllib.parse import urlsplit

import pytest

from kit.messaging.consumer import handles
from onebox import databases
from tests.kit.messaging.line import Line
from tests.kit.messaging.stage import count, publish, record_effects, running, until

TRIED_SECONDS = 2.0
"""Longer than an event is tried that fails for good."""


@pytest.mark.parametrize(
    ("refuse", "allow"),
    [
        ("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"),
        ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
    ],
)
async def test_events_wait_for_a_database_that_refuses(
    line: Line, counted, postgres: str, refuse: str, allow: str
):
    async with running(line.relay):
        await publish(line.db, counted(number=1), counted(number=2), key="a")
        await until(line.settled)
    database = urlsplit(line.relay_url).path[1:]
    admin = await databases.connect(postgres)

    await admin.execute(f'ALTER DATABASE "{database}" {refuse}')
    async with running(line.consumer(handles(counted, record_effects))):
        await asyncio.sleep(TRIED_SECONDS)
        await admin.execute(f'ALTER DATABASE "{database}" {allow}')
        await line.has_effects(2)
    await admin.close()

    assert await count(line.db, "dead_letter") == 0
