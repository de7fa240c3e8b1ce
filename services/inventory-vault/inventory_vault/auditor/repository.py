"""What the auditor reads: everything, in bounded pages, within one snapshot."""

import itertools
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.sql.elements import TextClause

from auditlog import Place
from kit.db import Transaction

ENTRIES_AT_ONCE = 5_000
ROWS_AT_ONCE = 10_000
NEVER = datetime.max.replace(tzinfo=UTC)
"""When a log without entries began."""

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


async def first_entry(tx: Transaction) -> Row[Any] | None:
    """The log's first, or the first that waits when none has its place."""
    return (await tx.execute(_FIRST_ENTRY)).one_or_none()


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
    "stock_action_append_only",
    "unit_revocation_append_only",
    "redemption_append_only",
    "redemption_rollback_append_only",
    "unit_balance_is_booked_only",
    "shredding_append_only",
    "unit_stays_shredded",
)

CHECKPOINTS = "SELECT size, root, note, vkey FROM audit_checkpoint ORDER BY size"
PENDING = (
    "SELECT entry_id, merchant_id, object_id, action, leaf, leaf_hash FROM audit_pending "
    "ORDER BY entry_id"
)
SALES = (
    "SELECT s.reservation_id AS id, s.merchant_id, s.unit_id, r.settled_at AS at FROM unit_sale s "
    "LEFT JOIN reservation r ON r.id = s.reservation_id ORDER BY s.reservation_id, s.unit_id"
)
VIEWS = (
    "SELECT id, merchant_id, unit_id, reservation_id, recipient_public_key, viewer_kind, "
    "viewer_id, ip, user_agent, reason, requested_by, salt, seen_at AS at FROM unit_view "
    "ORDER BY id"
)
SHREDDINGS = (
    "SELECT coalesce(d.id, u.shredding_id) AS id, d.merchant_id, d.lot_id, d.source, "
    "d.retention_days, d.shredded_at AS at, u.unit_id, "
    "d.id IS NOT NULL AND coalesce(l.state = 'undone', true) AS is_undone "
    "FROM shredding d LEFT JOIN lot l ON l.id = d.lot_id FULL JOIN "
    "(SELECT unit_id, shredding_id FROM unit WHERE shredding_id IS NOT NULL) u "
    "ON u.shredding_id = d.id ORDER BY 1, u.unit_id"
)
HANDOUTS = (
    "SELECT id, merchant_id, reservation_id, recipient_public_key, requested_by, "
    "requested_at AS at FROM handout ORDER BY id"
)
REDEMPTIONS = (
    "SELECT id, merchant_id, unit_id, merchant_reference, amount, currency, redeemed_by, "
    "redeemed_at AS at FROM redemption ORDER BY id"
)
REVOCATIONS = (
    "SELECT unit_id AS id, merchant_id, reason, requested_by, revoked_at AS at "
    "FROM unit_revocation ORDER BY unit_id"
)
ROLLBACKS = (
    "SELECT b.redemption_id AS id, b.merchant_id, r.unit_id, r.merchant_reference, r.amount, "
    "r.currency, b.reason, b.rolled_back_by, b.rolled_back_at AS at FROM redemption_rollback b "
    "LEFT JOIN redemption r ON r.id = b.redemption_id ORDER BY b.redemption_id"
)
_ACTION = "merchant_id, pool_id, filter::text, units, action, reason, requested_by, acted_at AS at"
ACTIONS = {
    "unit": (
        f"SELECT unit_id AS id, {_ACTION} FROM stock_action "  # noqa: S608 - constant parts
        "WHERE unit_id IS NOT NULL ORDER BY unit_id, stock_action.id"
    ),
    "lot": (
        f"SELECT lot_id AS id, {_ACTION} FROM stock_action "  # noqa: S608 - constant parts
        "WHERE lot_id IS NOT NULL AND unit_id IS NULL ORDER BY lot_id, stock_action.id"
    ),
    "stock": (
        f"SELECT id, {_ACTION} FROM stock_action "  # noqa: S608 - constant parts
        "WHERE lot_id IS NULL AND unit_id IS NULL ORDER BY id"
    ),
}
"""What the act was on -> its rows, in the order of what they were done to."""
IMPORTS = (
    "SELECT i.id, i.merchant_id, i.pool_id, i.lot_id, i.status, i.lines_read, i.accepted, "
    "i.rejected, i.duplicates, i.units, i.failure, i.finished_at AS at, l.size "
    "FROM stock_import i LEFT JOIN lot l ON l.id = i.lot_id "
    "WHERE i.status IN ('completed', 'failed') ORDER BY i.id"
)
GONE_LOTS = (
    "SELECT i.lot_id AS id, i.merchant_id, i.finished_at AS at FROM stock_import i "
    "WHERE i.status = 'completed' AND i.lot_id IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM lot l WHERE l.id = i.lot_id AND l.state <> 'undone') ORDER BY i.lot_id"
)
ODD_LOTS = (
    "SELECT l.id, count(i.id) AS imports FROM lot l "
    "LEFT JOIN stock_import i ON i.lot_id = l.id AND i.status = 'completed' "
    "WHERE l.state NOT IN ('importing', 'undone') GROUP BY l.id HAVING count(i.id) <> 1"
)
ROTATIONS = "SELECT id, reason, requested_by, requested_at AS at FROM key_rotation ORDER BY id"
NEW_KEYS = (
    "SELECT key_id AS id, old_key_id, reason, requested_by, requested_at AS at FROM key_rotation "
    "WHERE key_id IS NOT NULL ORDER BY key_id"
)
RETIRED_KEYS = (
    "SELECT key_id AS id, retired_at AS at FROM sealing_key WHERE state = 'retired' ORDER BY key_id"
)
KEYS = "SELECT key_id AS id, state FROM sealing_key ORDER BY key_id"


def told(actions: Sequence[str]) -> str:
    """The entries of these actions, in the order of what they tell of; for one object in the order
    of the log, those that wait last.
    """
    for action in actions:  # it becomes part of a statement
        assert action.replace(".", "").replace("_", "").isalpha()
    wanted = ", ".join(f"'{action}'" for action in actions)
    return (
        "SELECT object_id AS id, seq, action, leaf FROM ("  # noqa: S608 - checked above
        f"SELECT object_id, seq, entry_id, action, leaf FROM audit_entry WHERE action IN ({wanted})"
        " UNION ALL "
        "SELECT object_id, NULL, entry_id, action, leaf FROM audit_pending "
        f"WHERE action IN ({wanted})) e ORDER BY object_id, seq, entry_id"
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

_FIRST_ENTRY = text(
    """
    SELECT leaf FROM (
      (SELECT 1 AS rank, leaf FROM audit_entry ORDER BY seq LIMIT 1) UNION ALL
      (SELECT 2, leaf FROM audit_pending ORDER BY entry_id LIMIT 1)) e ORDER BY rank LIMIT 1
    """
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
