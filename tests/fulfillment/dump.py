"""Every value of every table, to look for what must not be there."""

from sqlalchemy import text

from kit.db import Database

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"


async def everything(db: Database) -> bytes:
    """All rows as text, binary columns as they are in it."""
    found: list[bytes] = []
    async with db.read() as tx:
        tables = [row.tablename for row in await tx.execute(text(_TABLES))]
        assert len(tables) > 10
        for table in tables:
            for row in await tx.execute(text(f"SELECT * FROM {table}")):  # noqa: S608 - own names
                found += [it if isinstance(it, bytes) else str(it).encode() for it in row]
    return b"\n".join(found)
