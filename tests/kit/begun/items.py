"""What is in the table, and what the connections of the `Database` under test do."""

import asyncpg
from sqlalchemy import text

from kit.db import Database

ADD = text("INSERT INTO item (id) VALUES (:id)")
APPLICATION = "begun"
BEGUN = "idle in transaction"


def open_database(url: str, *, pool_size: int) -> Database:
    return Database(
        url.replace("postgresql://", "postgresql+asyncpg://"),
        application_name=APPLICATION,
        pool_size=pool_size,
    )


async def items(watcher: asyncpg.Connection) -> list[int]:
    return [row["id"] for row in await watcher.fetch("SELECT id FROM item ORDER BY id")]


async def states(watcher: asyncpg.Connection) -> list[str]:
    rows = await watcher.fetch(
        "SELECT state FROM pg_stat_activity WHERE application_name = $1", APPLICATION
    )
    return sorted(row["state"] for row in rows)
