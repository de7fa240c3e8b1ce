"""Workers of fulfillment in processes of their own, to be killed."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fulfillment.settings import Settings
from tests.fulfillment.conftest import LINK_SECRET, SAFE_KEY
from tests.fulfillment.real_vault import SECRET
from tests.stack.nursery import Forked, forked

COMMAND = ("fulfillment", "worker")


@asynccontextmanager
async def a_worker(
    settings: Settings, command: tuple[str, ...] = COMMAND, /, **others: Any
) -> AsyncIterator[Forked]:
    """On the database of `settings`; `others` are settings by their names."""
    given = {
        "database_url": settings.database_url.get_secret_value(),
        "kafka_bootstrap": settings.kafka_bootstrap,
        "internal_secret": SECRET,
        "link_secret": LINK_SECRET,
        "safe_key": SAFE_KEY,
        "log_level": "ERROR",
        **others,
    }
    env = {f"FULFILLMENT_{name.upper()}": str(value) for name, value in given.items()}
    async with forked(*command, imports=["fulfillment.app"], env={**os.environ, **env}) as process:
        yield process
