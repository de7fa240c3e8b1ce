from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from auditlog import Place
from inventory_vault.audit.domain import Entry, SignedHead, StoredEntry
from kit.db import Transaction


def add_pending(tx: Transaction, entries: Sequence[StoredEntry]) -> None:
    """Puts entries into the queue, whatever their number together with what else is left for the
    end of the transaction.
    """
    tx.later(
        _ADD_PENDING,
        {
            "ids": [entry.entry_id for entry in entries],
            "merchants": [entry.merchant_id for entry in entries],
            "objects": [entry.object_id for entry in entries],
            "actions": [entry.action for entry in entries],
            "leaves": [entry.leaf for entry in entries],
            "hashes": [entry.leaf_hash for entry in entries],
        },
    )


async def longest_wait_seconds(tx: Transaction) -> float:
    """How long the first entry of the queue has waited; 0 when it is empty."""
    return float((await tx.execute(_LONGEST_WAIT)).scalar() or 0.0)


async def is_pending(tx: Transaction, merchant_id: UUID, entry_id: UUID) -> bool:
    found = await tx.execute(_IS_PENDING, {"id": entry_id, "merchant": merchant_id})
    return bool(found.scalar())


async def find_entry(tx: Transaction, merchant_id: UUID, entry_id: UUID) -> Entry | None:
    rows = await tx.execute(_FIND_ENTRY, {"id": entry_id, "merchant": merchant_id})
    row = rows.one_or_none()
    return _entry(row) if row else None


async def list_entries(
    tx: Transaction,
    merchant_id: UUID,
    *,
    object_id: UUID | None,
    action: str | None,
    after: int | None,
    limit: int,
) -> list[Entry]:
    """In the order of the log."""
    filters = {"object": object_id, "action": action}
    rows = await tx.execute(
        _LIST_OF_OBJECT if object_id else _LIST_ENTRIES,
        {"merchant": merchant_id, "after": -1 if after is None else after, "limit": limit}
        | (filters if object_id else {"action": action}),
    )
    return [_entry(row) for row in rows]


async def newest_head(tx: Transaction) -> SignedHead | None:
    row = (await tx.execute(_NEWEST_HEAD)).one_or_none()
    return _head(row) if row else None


async def find_head(tx: Transaction, size: int) -> SignedHead | None:
    row = (await tx.execute(_FIND_HEAD, {"size": size})).one_or_none()
    return _head(row) if row else None


async def tiles(tx: Transaction, places: Collection[Place]) -> dict[Place, bytes]:
    """Those of these tiles that are there."""
    wanted = sorted(places)
    rows = await tx.execute(
        _TILES, {"levels": [level for level, _ in wanted], "idxs": [idx for _, idx in wanted]}
    )
    return {(row.level, row.idx): bytes(row.hashes) for row in rows}


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row.seq, row.entry_id, row.object_id, row.action, bytes(row.leaf), bytes(row.leaf_hash)
    )


def _head(row: Row[Any]) -> SignedHead:
    return SignedHead(row.size, bytes(row.root), row.note, row.vkey, row.at)


_ADD_PENDING = text(
    """
    INSERT INTO audit_pending (entry_id, merchant_id, object_id, action, leaf, leaf_hash)
    SELECT * FROM unnest(
      CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:objects AS uuid[]),
      CAST(:actions AS text[]), CAST(:leaves AS bytea[]), CAST(:hashes AS bytea[]))
    """
)

_LONGEST_WAIT = text(
    "SELECT extract(epoch FROM clock_timestamp() - noted_at) FROM audit_pending "
    "ORDER BY entry_id LIMIT 1"
)

_IS_PENDING = text(
    "SELECT true FROM audit_pending WHERE entry_id = :id AND merchant_id = :merchant"
)

_COLUMNS = "seq, entry_id, object_id, action, leaf, leaf_hash"

_FIND_ENTRY = text(
    f"SELECT {_COLUMNS} FROM audit_entry WHERE entry_id = :id AND merchant_id = :merchant"  # noqa: S608 - constant columns
)

_LIST_ENTRIES = text(
    f"""
    SELECT {_COLUMNS} FROM audit_entry
    WHERE merchant_id = :merchant AND seq > :after
      AND (CAST(:action AS text) IS NULL OR action = :action)
    ORDER BY seq LIMIT :limit
    """  # noqa: S608 - constant columns
)

# A statement of its own: with "object_id = :object OR :object IS NULL" no plan uses the index.
_LIST_OF_OBJECT = text(
    f"""
    SELECT {_COLUMNS} FROM audit_entry
    WHERE object_id = :object AND merchant_id = :merchant AND seq > :after
      AND (CAST(:action AS text) IS NULL OR action = :action)
    ORDER BY seq LIMIT :limit
    """  # noqa: S608 - constant columns
)

_NEWEST_HEAD = text(
    "SELECT size, root, note, vkey, at FROM audit_checkpoint ORDER BY size DESC LIMIT 1"
)

_FIND_HEAD = text("SELECT size, root, note, vkey, at FROM audit_checkpoint WHERE size = :size")

_TILES = text(
    """
    SELECT t.level, t.idx, t.hashes
    FROM unnest(CAST(:levels AS smallint[]), CAST(:idxs AS bigint[])) AS w(level, idx)
    JOIN audit_tile t ON t.level = w.level AND t.idx = w.idx
    """
)
