from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.retention.domain import DeadLot, Doomed, Shredded, Source, Window
from kit.db import Transaction


async def begin(tx: Transaction, source: Source) -> bool:
    """Whether this transaction may shred; False while another one does."""
    await tx.execute(_ADD_PROGRESS, {"source": source})
    return (await tx.execute(_LOCK_PROGRESS, {"source": source})).one_or_none() is not None


async def window(tx: Transaction, source: Source, days: int) -> Window | None:
    """What is due and not looked at yet, or its beginning; None when that is nothing."""
    row = (await tx.execute(_WINDOW, {"source": source, "days": days})).one_or_none()
    return None if row is None else Window(row.after, row.until, row.slice_seconds, row.is_last)


async def keep(tx: Transaction, source: Source, reached: Window) -> None:
    await tx.execute(
        _KEEP,
        {"source": source, "until": reached.until, "seconds": reached.slice_seconds},
    )


async def due_in(tx: Transaction, source: Source, wanted: Window, limit: int) -> list[Doomed]:
    """Those that were sold, or withdrawn for good, in the window."""
    values = {"after": wanted.after, "until": wanted.until, "limit": limit}
    rows = await tx.execute(_DUE_IN[source], values)
    return [Doomed(row.lot_id, row.seq, row.merchant_id) for row in rows]


async def dead_lot(tx: Transaction, days: int) -> DeadLot | None:
    """A lot that is void or expired as a whole for so long, with units left to look at."""
    row = (await tx.execute(_DEAD_LOT, {"days": days})).one_or_none()
    if row is None:
        return None
    return DeadLot(row.id, row.merchant_id, row.through_seq, row.saw_held)


async def units_of_lot(
    tx: Transaction, lot: DeadLot, limit: int
) -> tuple[list[Doomed], int | None, bool]:
    """(units to shred, the last number that was looked at or None at the end, whether one is held).

    What was sold or withdrawn for good has a time of its own.
    """
    rows = list(
        await tx.execute(
            _UNITS_OF_LOT, {"lot": lot.lot_id, "after": lot.through_seq, "limit": limit}
        )
    )
    due = [Doomed(lot.lot_id, row.seq, row.merchant_id) for row in rows if row.is_due]
    last = rows[-1].seq if len(rows) == limit else None
    return due, last, any(row.is_held for row in rows)


async def keep_lot(tx: Transaction, lot: DeadLot) -> None:
    """There is more of it."""
    values = {"lot": lot.lot_id, "merchant": lot.merchant_id, "through": lot.through_seq}
    await tx.execute(_KEEP_LOT, {**values, "held": lot.saw_held})


async def finish_lot(tx: Transaction, lot: DeadLot) -> None:
    """All of it was looked at; while units of it are held, it is looked at again every day."""
    values = {"lot": lot.lot_id, "merchant": lot.merchant_id, "held": lot.saw_held}
    await tx.execute(_FINISH_LOT, values)


async def shred(
    tx: Transaction, units: Sequence[Doomed], shreddings: dict[UUID, UUID]
) -> list[Shredded]:
    """Overwrites the boxes; which were not overwritten before. `shreddings`: id by lot."""
    found = await tx.execute(
        _SHRED,
        {
            "lots": [unit.lot_id for unit in units],
            "seqs": [unit.seq for unit in units],
            "ids": [shreddings[unit.lot_id] for unit in units],
        },
    )
    return [Shredded(row.lot_id, row.unit_id) for row in found]


async def add_shreddings(
    tx: Transaction, rows: Sequence[tuple[UUID, UUID, UUID, int]], source: Source, days: int
) -> None:
    """(id, merchant, lot, units)"""
    await tx.execute(
        _ADD_SHREDDINGS,
        {
            "ids": [row[0] for row in rows],
            "merchants": [row[1] for row in rows],
            "lots": [row[2] for row in rows],
            "units": [row[3] for row in rows],
            "source": source,
            "days": days,
        },
    )


_ADD_PROGRESS = text(
    "INSERT INTO shred_progress (source, done_until, slice_seconds) "
    "VALUES (:source, to_timestamp(0), 3600) ON CONFLICT DO NOTHING"
)

_LOCK_PROGRESS = text("SELECT 1 FROM shred_progress WHERE source = :source FOR UPDATE SKIP LOCKED")

# A day has 24 hours, whatever the time zone of the connection says.
_CUTOFF = "clock_timestamp() - make_interval(hours => 24 * CAST(:days AS int))"

_WINDOW = text(
    f"""
    SELECT p.done_until AS after, p.slice_seconds, least(s.until, c.cutoff) AS until,
      s.until >= c.cutoff AS is_last
    FROM shred_progress p
    CROSS JOIN LATERAL (
      SELECT p.done_until + make_interval(secs => p.slice_seconds) AS until) s
    CROSS JOIN (SELECT {_CUTOFF} AS cutoff) c
    WHERE p.source = :source AND p.done_until < c.cutoff
    """  # noqa: S608 - constant parts
)

_KEEP = text(
    "UPDATE shred_progress SET done_until = :until, slice_seconds = :seconds WHERE source = :source"
)

# By the index on the moment, which knows the pages' ranges of time only: rows are written in that
# order. OFFSET 0 keeps the planner from beginning with all units there are.
_DUE_IN = {
    Source.SALE: text(
        """
        SELECT s.lot_id, s.seq, s.merchant_id FROM unit_sale s
        CROSS JOIN LATERAL (
          SELECT 1 FROM unit u WHERE u.lot_id = s.lot_id AND u.seq = s.seq
            AND u.unit_id = s.unit_id AND u.shredding_id IS NULL OFFSET 0) whole
        WHERE s.sold_at > :after AND s.sold_at <= :until LIMIT :limit
        """
    ),
    Source.WITHDRAWN: text(
        """
        SELECT w.lot_id, w.seq, w.merchant_id FROM withdrawn_unit w
        CROSS JOIN LATERAL (
          SELECT 1 FROM unit u WHERE u.lot_id = w.lot_id AND u.seq = w.seq
            AND u.shredding_id IS NULL OFFSET 0) whole
        WHERE w.withdrawn_at > :after AND w.withdrawn_at <= :until
          AND w.state IN ('void', 'expired') LIMIT :limit
        """
    ),
}

# One row per import is looked at. A void lot says in the log of acts since when; the units of a lot
# with mixed expiry are withdrawn one by one when their time comes.
_DEAD_LOT = text(
    f"""
    SELECT l.id, l.merchant_id, coalesce(d.through_seq, 0) AS through_seq,
      coalesce(d.saw_held, false) AS saw_held
    FROM lot l
    LEFT JOIN shredded_lot d ON d.lot_id = l.id
    CROSS JOIN (SELECT {_CUTOFF} AS cutoff) c
    WHERE coalesce(d.next_at, '-infinity') <= clock_timestamp() AND (
      (l.state = 'void' AND (
        SELECT max(a.acted_at) FROM stock_action a
        WHERE a.lot_id = l.id AND a.unit_id IS NULL AND a.action = 'void') <= c.cutoff)
      OR (l.state IN ('on_shelf', 'inactive', 'quarantined') AND NOT l.mixed_expiry
        AND l.expires_at <= c.cutoff))
    ORDER BY l.id LIMIT 1
    """  # noqa: S608 - constant parts
)

_UNITS_OF_LOT = text(
    """
    SELECT u.seq, u.merchant_id,
      u.shredding_id IS NULL AND a.seq IS NULL
        AND coalesce(w.state NOT IN ('void', 'expired'), true) AS is_due,
      coalesce(a.state = 'reserved', false) AS is_held
    FROM unit u
    LEFT JOIN allocation a ON a.lot_id = u.lot_id AND a.seq = u.seq
    LEFT JOIN withdrawn_unit w ON w.lot_id = u.lot_id AND w.seq = u.seq
    WHERE u.lot_id = :lot AND u.seq > :after ORDER BY u.seq LIMIT :limit
    """
)

_KEEP_LOT = text(
    """
    INSERT INTO shredded_lot (lot_id, merchant_id, through_seq, saw_held, next_at)
    VALUES (:lot, :merchant, :through, :held, clock_timestamp())
    ON CONFLICT (lot_id) DO UPDATE SET through_seq = excluded.through_seq,
      saw_held = excluded.saw_held, next_at = excluded.next_at
    """
)

_FINISH_LOT = text(
    """
    INSERT INTO shredded_lot (lot_id, merchant_id, through_seq, saw_held, next_at)
    VALUES (:lot, :merchant, 0, false, CASE WHEN CAST(:held AS boolean)
      THEN clock_timestamp() + interval '1 day' ELSE 'infinity' END)
    ON CONFLICT (lot_id) DO UPDATE SET through_seq = 0, saw_held = false,
      next_at = excluded.next_at
    """
)

# A seal that knows how many units name it must not count them: they need no key any more.
_SHRED = text(
    """
    WITH shredded AS (
      UPDATE unit u SET box = '', nonce = '', shredding_id = n.id
      FROM unnest(CAST(:lots AS uuid[]), CAST(:seqs AS int[]), CAST(:ids AS uuid[]))
        AS n(lot_id, seq, id)
      WHERE u.lot_id = n.lot_id AND u.seq = n.seq AND u.shredding_id IS NULL
      RETURNING u.lot_id, u.unit_id, u.seal_no
    ), per_seal AS (
      SELECT lot_id, seal_no, count(*)::int AS units FROM shredded GROUP BY lot_id, seal_no
    ), counted AS (
      UPDATE lot_seal s SET units = greatest(0, s.units - p.units) FROM per_seal p
      WHERE s.lot_id = p.lot_id AND s.seal_no = p.seal_no AND s.units IS NOT NULL
    )
    SELECT lot_id, unit_id FROM shredded
    """
)

_ADD_SHREDDINGS = text(
    """
    INSERT INTO shredding (id, merchant_id, lot_id, source, units, retention_days)
    SELECT n.id, n.merchant_id, n.lot_id, :source, n.units, CAST(:days AS int)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:lots AS uuid[]),
      CAST(:units AS int[])) AS n(id, merchant_id, lot_id, units)
    """
)
