"""Which statements a stretch of a test ran."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from kit.statements import Rows, Statements


@contextmanager
def noted_statements() -> Iterator[list[str]]:
    """The `text()` statements of this process while the block runs; they run as always."""
    noted: list[str] = []
    run = Statements.run

    async def noting(self: Statements, sql: str, parameters: Mapping[str, Any]) -> Rows:
        noted.append(sql)
        return await run(self, sql, parameters)

    with patch.object(Statements, "run", noting):
        yield noted
