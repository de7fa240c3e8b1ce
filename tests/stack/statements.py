"""Which statements a stretch of a test ran, and how many rows they read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from kit.db import Transaction
from kit.statements import Answer, Read, Rows, Statements


@contextmanager
def noted_statements() -> Iterator[list[str]]:
    """The `text()` statements of this process while the block runs; they run as always. Writes that
    go together are one, and so are reads.
    """
    noted: list[str] = []
    run, together = Statements.run, Statements.run_together
    read = Statements.read_together

    async def noting(self: Statements, sql: str, parameters: Mapping[str, Any]) -> Rows:
        noted.append(sql)
        return await run(self, sql, parameters)

    async def noting_all(self: Statements, parts: Sequence[tuple[str, Mapping[str, Any]]]) -> int:
        if len(parts) > 1:  # one alone goes through `run`
            noted.append("\n".join(sql for sql, _ in parts))
        return await together(self, parts)

    async def noting_reads(self: Statements, reads: Sequence[Read]) -> list[Answer]:
        noted.append("\n".join(sql for it in reads for sql in it.texts))
        return await read(self, reads)

    with (
        patch.object(Statements, "run", noting),
        patch.object(Statements, "run_together", noting_all),
        patch.object(Statements, "read_together", noting_reads),
    ):
        yield noted


async def rows_fetched(tx: Transaction, *tables: str) -> int:
    """How many rows of these tables were fetched by an index on this connection, as far as it has
    not reported them: also what transactions before have read, so a difference tells.
    """
    found: int = (await tx.execute(_FETCHED, {"tables": list(tables)})).scalar_one()
    return found


_FETCHED = text("""
    SELECT coalesce(sum(idx_tup_fetch), 0)::bigint FROM pg_stat_xact_user_tables
    WHERE relname = ANY(CAST(:tables AS text[]))
""")
