"""What the database says when its trouble passes, and that the caller is told to come again."""

import asyncpg
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.errors import Unavailable
from kit.standby import Standby

INSERT = text("INSERT INTO item (id) VALUES (1)")


def _open(url: str) -> Database:
    return Database(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        application_name="trouble",
        pool_size=2,
    )


async def test_a_login_that_is_refused(empty_database: str):
    db = _open(empty_database.rsplit("/", 1)[0] + "/restored_soon")

    with pytest.raises(Unavailable):
        await db.ping()

    await db.close()


@pytest.mark.parametrize("state", ["58030", "53100", "57P01", "25006", "55P03", "40001"])
async def test_trouble_of_the_server_that_passes(empty_database: str, state: str):
    db = _open(empty_database)

    with pytest.raises(Unavailable):
        async with db.transaction() as tx:
            await tx.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"))

    await db.close()


@pytest.mark.parametrize("standing_by", [False, True])
async def test_a_connection_that_may_only_read_is_not_kept(empty_database: str, standing_by: bool):
    """As one to a server that was the primary a moment ago."""
    admin = await asyncpg.connect(empty_database)
    await admin.execute("CREATE TABLE item (id int)")
    name = empty_database.rsplit("/", 1)[1]
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    db = _open(empty_database)
    transaction = Standby(db).transaction if standing_by else db.transaction
    with pytest.raises(Unavailable):
        async with transaction() as tx:
            await tx.execute(INSERT)

    await admin.execute("SET default_transaction_read_only = off")
    await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    async with transaction() as tx:
        await tx.execute(INSERT)

    assert await admin.fetchval("SELECT count(*) FROM item") == 1
    await db.close()
    await admin.close()
