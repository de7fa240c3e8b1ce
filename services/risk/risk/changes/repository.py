import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from kit.db import Transaction
from kit.ids import new_id
from risk.changes.domain import Change, ChangeKind
from risk.facts import as_json

_INSERT = text("""
    INSERT INTO change (id, merchant_id, author, kind, about, was)
    SELECT id, :merchant_id, :author, :kind, about, CAST(was AS jsonb)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:about AS uuid[]), CAST(:was AS text[]))
        AS given(id, about, was)
""")
_WANTED = {
    "kind": "kind = CAST(:kind AS text)",
    "about": "about = CAST(:about AS uuid)",
    "before": "id < CAST(:before AS uuid)",
}


class ChangeRepository:
    async def add(
        self,
        tx: Transaction,
        merchant_id: UUID,
        kind: ChangeKind,
        were: Sequence[tuple[UUID, Mapping[str, object] | None]],
        *,
        author: str,
    ) -> None:
        """The same for each of these: what it is about, what was so before."""
        await tx.execute(
            _INSERT,
            {
                "merchant_id": merchant_id,
                "author": author,
                "kind": kind.value,
                "ids": [new_id() for _ in were],
                "about": [about for about, _ in were],
                "was": [
                    None if was is None else json.dumps(was, default=as_json) for _, was in were
                ],
            },
        )

    async def list_changes(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        kind: ChangeKind | None,
        about: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[Change]:
        """Newest first."""
        given = {"kind": kind and kind.value, "about": about, "before": before}
        said = {name: value for name, value in given.items() if value is not None}
        values = {"merchant_id": merchant_id, "limit": limit, **said}
        rows = await tx.execute(_listing(tuple(said)), values)
        return [_to_domain(row) for row in rows]


@lru_cache
def _listing(names: tuple[str, ...]) -> TextClause:
    """Only what is asked for is said: plans are generic, and a filter that may be absent finds no
    index.
    """
    conditions = ["merchant_id = :merchant_id", *(_WANTED[it] for it in names)]
    return text(f"""
        SELECT id, at, author, kind, about, was FROM change
        WHERE {" AND ".join(conditions)} ORDER BY id DESC LIMIT :limit
    """)  # noqa: S608 - made of constants above


def _to_domain(row: Any) -> Change:  # a row has no static type
    return Change(row.id, row.at, row.author, ChangeKind(row.kind), row.about, row.was)
