"""What the auditor reads: everything, in bounded pages, within one snapshot."""

import itertools
from collections.abc import AsyncIterator, Collection
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.sql.elements import TextClause

from auditlog import Place
from kit.db import Transaction

ENTRIES_AT_ONCE = 5_000
ROWS_AT_ONCE = 10_000

_cursors = itertools.count(1)


async def take_snapshot(tx: Transaction) -> None:
    """From here on `tx` sees one moment of the database, and changes nothing. First of all."""
    await tx.execute(_SNAPSHOT)
    await unlimit(tx)


async def unlimit(tx: Transaction) -> None:
    """Lets `tx` read for long, and read whole tables: the settings of the service forbid both."""
    await tx.execute(_UNLIMIT)


async def extent(tx: Transaction) -> tuple[int, int, int]:
    """(entries, tiles, checkpoints)"""
    row = (await tx.execute(_EXTENT)).one()
    return row.entries, row.tiles, row.checkpoints


async def entries(tx: Transaction) -> AsyncIterator[list[Row[Any]]]:
    """The log in pages, in order."""
    after = -(2**62)
    while True:
        page = list(await tx.execute(_ENTRIES, {"after": after, "limit": ENTRIES_AT_ONCE}))
        if not page:
            return
        yield page
        after = page[-1].seq


async def rows(tx: Transaction, statement: str) -> AsyncIterator[Row[Any]]:
    """All rows of a statement without parameters, read through a cursor."""
    name = f"auditor_{next(_cursors)}"
    await tx.execute(text(f"DECLARE {name} NO SCROLL CURSOR FOR {statement}"))
    fetch = text(f"FETCH {ROWS_AT_ONCE} FROM {name}")
    while page := list(await tx.execute(fetch)):
        for row in page:
            yield row
    await tx.execute(text(f"CLOSE {name}"))


async def tiles(tx: Transaction, places: Collection[Place]) -> dict[Place, bytes]:
    wanted = sorted(places)
    found = await tx.execute(
        _TILES, {"levels": [level for level, _ in wanted], "idxs": [idx for _, idx in wanted]}
    )
    return {(row.level, row.idx): bytes(row.hashes) for row in found}


async def disabled_guards(tx: Transaction) -> list[str]:
    """The triggers of the log and its books that are gone or switched off."""
    found = {row.tgname for row in await tx.execute(_GUARDS, {"names": list(GUARDS)})}
    return sorted(set(GUARDS) - found)


GUARDS = (
    "audit_entry_append_only",
    "audit_checkpoint_append_only",
    "audit_pending_is_not_changed",
    "audit_tile_stays",
    "audit_tile_only_grows",
    "unit_sale_append_only",
    "unit_view_append_only",
    "handout_append_only",
)

CHECKPOINTS = "SELECT size, root, note, vkey FROM audit_checkpoint ORDER BY size"
PENDING = (
    "SELECT entry_id, merchant_id, object_id, action, leaf, leaf_hash FROM audit_pending "
    "ORDER BY entry_id"
)
SALES = (
    "SELECT reservation_id AS id, merchant_id, unit_id FROM unit_sale "
    "ORDER BY reservation_id, unit_id"
)
VIEWS = (
    "SELECT id, merchant_id, unit_id, reservation_id, recipient_public_key, viewer_kind, "
    "viewer_id, ip, user_agent, reason, requested_by, salt FROM unit_view ORDER BY id"
)
HANDOUTS = (
    "SELECT id, merchant_id, reservation_id, recipient_public_key, requested_by FROM handout "
    "ORDER BY id"
)


def told(action: str) -> str:
    """The entries of an action, in the order of what they tell of; those that wait come last."""
    assert action.replace(".", "").replace("_", "").isalpha()  # it becomes part of a statement
    return (
        "SELECT object_id AS id, seq, leaf FROM ("  # noqa: S608 - checked above
        f"SELECT object_id, seq, leaf FROM audit_entry WHERE action = '{action}' UNION ALL "
        f"SELECT object_id, NULL, leaf FROM audit_pending WHERE action = '{action}') e "
        "ORDER BY object_id, seq"
    )


_SNAPSHOT: TextClause = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

_UNLIMIT = text(
    "SELECT set_config('enable_seqscan', 'on', true), set_config('statement_timeout', '0', true), "
    "set_config('idle_in_transaction_session_timeout', '0', true), "
    "set_config('work_mem', '64MB', true)"
)

_EXTENT = text(
    "SELECT (SELECT count(*) FROM audit_entry) AS entries, "
    "(SELECT count(*) FROM audit_tile) AS tiles, "
    "(SELECT count(*) FROM audit_checkpoint) AS checkpoints"
)

_ENTRIES = text(
    "SELECT seq, entry_id, merchant_id, object_id, action, leaf, leaf_hash FROM audit_entry "
    "WHERE seq > :after ORDER BY seq LIMIT :limit"
)

_TILES = text(
    """
    SELECT t.level, t.idx, t.hashes
    FROM unnest(CAST(:levels AS smallint[]), CAST(:idxs AS bigint[])) AS w(level, idx)
    JOIN audit_tile t ON t.level = w.level AND t.idx = w.idx
    """
)

_GUARDS = text(
    "SELECT tgname FROM pg_trigger WHERE tgname = ANY(CAST(:names AS text[])) AND tgenabled = 'O'"
)
