"""The sequencer's statements: out of the queue, into the log, all in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from auditlog import Place
from inventory_vault.audit.domain import StoredEntry
from kit.db import Transaction


@dataclass(frozen=True, slots=True)
class Extent:
    """How far the log in the database goes: entries, and the newest checkpoint."""

    size: int
    signed_size: int | None
    signed_root: bytes | None
    signed_note: str | None


async def try_lock(tx: Transaction) -> bool:
    """Whether `tx` alone may write the log; never waits."""
    return bool((await tx.execute(_TRY_LOCK)).scalar())


async def extent(tx: Transaction) -> Extent:
    row = (await tx.execute(_EXTENT)).one()
    root = None if row.root is None else bytes(row.root)
    return Extent(row.entries, row.size, root, row.note)


async def take(tx: Transaction, limit: int) -> list[StoredEntry]:
    """The first entries of the queue, in the order of their ids; they leave it with `tx`."""
    found = [_entry(row) for row in await tx.execute(_TAKE, {"limit": limit})]
    return sorted(found, key=lambda entry: entry.entry_id)


async def take_these(tx: Transaction, entry_ids: Sequence[UUID]) -> list[StoredEntry]:
    """Those of these entries that are in the queue, in the given order."""
    found = {
        row.entry_id: _entry(row) for row in await tx.execute(_TAKE_THESE, {"ids": list(entry_ids)})
    }
    return [found[entry_id] for entry_id in entry_ids if entry_id in found]


async def add_entries(
    tx: Transaction, first_seq: int, entries: Sequence[StoredEntry], hashes: Sequence[bytes]
) -> None:
    """Appends to the log, from `first_seq` on, with the hashes that were computed now."""
    await tx.execute(
        _ADD_ENTRIES,
        {
            "first": first_seq,
            "ids": [entry.entry_id for entry in entries],
            "merchants": [entry.merchant_id for entry in entries],
            "objects": [entry.object_id for entry in entries],
            "actions": [entry.action for entry in entries],
            "leaves": [entry.leaf for entry in entries],
            "hashes": list(hashes),
        },
    )


async def tiles(tx: Transaction, places: Collection[Place]) -> dict[Place, bytes]:
    """Those of these tiles that are there."""
    wanted = sorted(places)
    rows = await tx.execute(
        _TILES, {"levels": [level for level, _ in wanted], "idxs": [idx for _, idx in wanted]}
    )
    return {(row.level, row.idx): bytes(row.hashes) for row in rows}


async def put_tiles(tx: Transaction, changed: Mapping[Place, bytes]) -> None:
    """New tiles, and those that have grown."""
    await tx.execute(
        _PUT_TILES,
        {
            "levels": [level for level, _ in changed],
            "idxs": [idx for _, idx in changed],
            "hashes": list(changed.values()),
        },
    )


async def add_checkpoint(tx: Transaction, size: int, root: bytes, note: str, vkey: str) -> None:
    await tx.execute(_ADD_CHECKPOINT, {"size": size, "root": root, "note": note, "vkey": vkey})


def _entry(row: Row[Any]) -> StoredEntry:
    return StoredEntry(
        row.entry_id,
        row.merchant_id,
        row.object_id,
        row.action,
        bytes(row.leaf),
        bytes(row.leaf_hash),
    )


# 7001 is the relay's, 7002 the migrations'.
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(7003)")

_EXTENT = text(
    """
    SELECT e.entries, c.size, c.root, c.note
    FROM (SELECT coalesce(max(seq) + 1, 0) AS entries FROM audit_entry) e
    LEFT JOIN (
      SELECT size, root, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1
    ) c ON true
    """
)

_COLUMNS = "entry_id, merchant_id, object_id, action, leaf, leaf_hash"

_TAKE = text(
    f"""
    DELETE FROM audit_pending WHERE entry_id IN (
      SELECT entry_id FROM audit_pending ORDER BY entry_id LIMIT :limit)
    RETURNING {_COLUMNS}
    """  # noqa: S608 - constant columns
)

_TAKE_THESE = text(
    f"DELETE FROM audit_pending WHERE entry_id = ANY(CAST(:ids AS uuid[])) RETURNING {_COLUMNS}"  # noqa: S608 - constant columns
)

_ADD_ENTRIES = text(
    """
    INSERT INTO audit_entry (seq, entry_id, merchant_id, object_id, action, leaf, leaf_hash)
    SELECT CAST(:first AS bigint) + place - 1, entry_id, merchant_id, object_id, action, leaf,
      leaf_hash
    FROM unnest(
      CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:objects AS uuid[]),
      CAST(:actions AS text[]), CAST(:leaves AS bytea[]), CAST(:hashes AS bytea[])
    ) WITH ORDINALITY
      AS e(entry_id, merchant_id, object_id, action, leaf, leaf_hash, place)
    ORDER BY place
    """
)

_TILES = text(
    """
    SELECT t.level, t.idx, t.hashes
    FROM unnest(CAST(:levels AS smallint[]), CAST(:idxs AS bigint[])) AS w(level, idx)
    JOIN audit_tile t ON t.level = w.level AND t.idx = w.idx
    """
)

_PUT_TILES = text(
    """
    INSERT INTO audit_tile (level, idx, hashes)
    SELECT * FROM unnest(
      CAST(:levels AS smallint[]), CAST(:idxs AS bigint[]), CAST(:hashes AS bytea[]))
    ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes
    """
)

_ADD_CHECKPOINT = text(
    "INSERT INTO audit_checkpoint (size, root, note, vkey) VALUES (:size, :root, :note, :vkey)"
)
