from collections.abc import Mapping, Sequence
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from order.timeline.domain import Entry, ToldEntry

# Ids are drawn in the order given, because the rows reach the insert sorted by it.
_INSERT = text(
    "INSERT INTO order_timeline (order_id, kind, summary, cause, details) "
    "SELECT order_id, kind, summary, cause, details::jsonb FROM unnest("
    "CAST(:order_ids AS uuid[]), CAST(:kinds AS text[]), CAST(:summaries AS text[]), "
    "CAST(:causes AS text[]), CAST(:details AS text[])) "
    "WITH ORDINALITY AS e(order_id, kind, summary, cause, details, place) ORDER BY place"
)
_LIST = text(
    "SELECT id, at, kind, summary, cause, details FROM order_timeline "
    "WHERE order_id = :order_id AND id > :after ORDER BY id LIMIT :limit"
)

_IS_TOLD = text(
    "SELECT EXISTS (SELECT FROM order_timeline WHERE order_id = :order_id AND kind = :kind "
    "AND details @> CAST(:details AS jsonb))"
)


def add_many(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Writes the entries in their order, with what else is left for the end of the transaction."""
    values = {
        "order_ids": [entry.order_id for entry in entries],
        "kinds": [entry.kind for entry in entries],
        "summaries": [entry.summary for entry in entries],
        "causes": [entry.cause for entry in entries],
        "details": [orjson.dumps(entry.details).decode() for entry in entries],
    }
    tx.later(_INSERT, values)


async def is_told(tx: Transaction, order_id: UUID, kind: str, details: Mapping[str, str]) -> bool:
    values = {"order_id": order_id, "kind": kind, "details": orjson.dumps(dict(details)).decode()}
    return bool((await tx.execute(_IS_TOLD, values)).scalar_one())


async def list_entries(
    tx: Transaction, order_id: UUID, *, after: int, limit: int
) -> Sequence[ToldEntry]:
    values = {"order_id": order_id, "after": after, "limit": limit}
    return [
        ToldEntry(row.id, row.at, row.kind, row.summary, row.cause, row.details)
        for row in await tx.execute(_LIST, values)
    ]
