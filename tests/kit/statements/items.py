"""Items that statements are about."""

from sqlalchemy import text

from kit.db import Database

ADD = text("INSERT INTO item (id, size) SELECT * FROM unnest(CAST(:ids AS int[]), :sizes ::int[])")
ADD_ONE = text("INSERT INTO item (id, size) VALUES (CAST(:id AS int), CAST(:size AS int))")
NAME = text("UPDATE item SET name = :name WHERE id = :id")
COUNT = text("SELECT count(*) FROM item")
_PREPARED = text("SELECT statement FROM pg_prepared_statements")


async def count(db: Database) -> int:
    async with db.read() as tx:
        return int((await tx.execute(COUNT)).scalar_one())


async def statements_of(db: Database) -> list[str]:
    """Those that its connection has prepared."""
    async with db.read() as tx:
        return list((await tx.execute(_PREPARED)).scalars())
