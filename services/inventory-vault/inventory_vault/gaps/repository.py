"""SQL of what leaves and comes back ahead of a cursor. Called under the pool's lock."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.gaps.domain import FittingLot, Taken
from kit.db import Transaction


async def fitting_lots(
    tx: Transaction, pool_id: UUID, min_valid_seconds: int, but: Sequence[UUID]
) -> list[FittingLot]:
    """Lots that have units of such validity, the first to expire first; none of `but`."""
    values = {"pool": pool_id, "seconds": min_valid_seconds, "but": list(but)}
    rows = await tx.execute(_FITTING_LOTS, values)
    return [FittingLot(row.id, row.next_seq, row.fit_seq, row.from_seq) for row in rows]


async def take(
    tx: Transaction, lot: FittingLot, reservation_id: UUID, line_no: int, count: int
) -> Taken:
    """Up to `count` fitting units of a lot: the free ones, then those ahead, in order of expiry."""
    values = {
        "lot": lot.id,
        "fit_seq": lot.fit_seq,
        "from_seq": lot.from_seq,
        "count": count,
        "reservation": reservation_id,
        "line_no": line_no,
    }
    row = (await tx.execute(_TAKE, values)).one()
    return Taken(row.freed + row.picked, row.first_seq, row.last_seq)


async def pick(tx: Transaction, lot_id: UUID, next_seq: int, count: int) -> list[int]:
    """Up to `count` units on the shelf from the cursor on."""
    rows = await tx.execute(_PICK, {"lot": lot_id, "next_seq": next_seq, "count": count})
    return [row.seq for row in rows]


async def withdraw_expired(tx: Transaction, lot_ids: Sequence[UUID]) -> int:
    """Takes the expired units of lots with mixed expiry off the shelf; how many there were."""
    found = 0
    for lot_id in sorted(lot_ids):
        row = (await tx.execute(_WITHDRAW_EXPIRED, {"lot": lot_id})).one()
        found += row.withdrawn
    return found


async def step(tx: Transaction, lot_ids: Sequence[UUID]) -> None:
    """Cursors that stand at gaps go on to the next unit that is on the shelf."""
    await tx.execute(_STEP, {"lots": sorted(lot_ids)})


async def note_run(tx: Transaction, lot_id: UUID, first_seq: int, last_seq: int) -> None:
    """Nothing of `first_seq` to `last_seq` is on the shelf; joined with the runs it touches."""
    await tx.execute(_NOTE_RUN, {"lot": lot_id, "first": first_seq, "last": last_seq})


async def split_runs(tx: Transaction, lot_ids: Sequence[UUID], seqs: Sequence[int]) -> None:
    """These units are on the shelf again: no run covers them any more."""
    await tx.execute(_SPLIT_RUNS, {"lots": list(lot_ids), "seqs": list(seqs)})


# Whether unit u is on the shelf, given that it is at the cursor or ahead of it.
_NO_GAP = """
    NOT EXISTS (SELECT 1 FROM withdrawn_unit w WHERE w.lot_id = u.lot_id AND w.seq = u.seq)
    AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.lot_id = u.lot_id AND a.seq = u.seq)
"""

# Units of a lot with mixed expiry are numbered in its order, those without any last: the fitting
# ones are a suffix, and an index finds where it begins. One run of gaps is jumped over.
_FITTING_LOTS = text(
    """
    WITH moment AS MATERIALIZED (
      SELECT clock_timestamp() + make_interval(secs => :seconds) AS until
    )
    SELECT l.id, l.next_seq, f.fit_seq, r.from_seq,
      CASE WHEN l.mixed_expiry THEN least(
          (SELECT u.expires_at FROM unit u WHERE u.lot_id = l.id AND u.seq = r.from_seq),
          (SELECT o.expires_at FROM free_unit o WHERE o.lot_id = l.id AND o.seq >= f.fit_seq
           ORDER BY o.seq LIMIT 1))
        ELSE l.head_expires_at END AS fitting_expires_at
    FROM lot l CROSS JOIN moment m
    CROSS JOIN LATERAL (
      SELECT CASE WHEN NOT l.mixed_expiry THEN 1 ELSE coalesce(
        (SELECT u.seq FROM unit u WHERE u.lot_id = l.id AND u.expires_at > m.until
         ORDER BY u.expires_at, u.seq LIMIT 1),
        (SELECT u.seq + 1 FROM unit u WHERE u.lot_id = l.id AND u.expires_at IS NOT NULL
         ORDER BY u.expires_at DESC, u.seq DESC LIMIT 1), 1) END AS fit_seq) f
    CROSS JOIN LATERAL (SELECT greatest(l.next_seq, f.fit_seq) AS seq) s
    CROSS JOIN LATERAL (
      SELECT greatest(s.seq, 1 + coalesce(
        (SELECT g.last_seq FROM gap_run g WHERE g.lot_id = l.id AND g.first_seq <= s.seq
         ORDER BY g.first_seq DESC LIMIT 1), 0)) AS from_seq) r
    WHERE l.pool_id = :pool AND l.has_stock AND l.state = 'on_shelf'
      AND l.id <> ALL(CAST(:but AS uuid[]))
      AND (l.mixed_expiry OR l.head_expires_at IS NULL OR l.head_expires_at > m.until)
    ORDER BY fitting_expires_at NULLS LAST, l.id
    """
)

_TAKE = text(
    f"""
    WITH freed AS (
      DELETE FROM free_unit f USING (
        SELECT seq FROM free_unit WHERE lot_id = :lot AND seq >= :fit_seq
        ORDER BY seq LIMIT :count) p
      WHERE f.lot_id = :lot AND f.seq = p.seq RETURNING f.seq
    ), picked AS MATERIALIZED (
      SELECT u.seq FROM unit u WHERE u.lot_id = :lot AND u.seq >= :from_seq AND {_NO_GAP}
      ORDER BY u.seq LIMIT :count - (SELECT count(*) FROM freed)
    ), taken AS (
      INSERT INTO allocation (lot_id, seq, reservation_id, line_no, merchant_id, state)
      SELECT l.id, t.seq, :reservation, :line_no, l.merchant_id, 'reserved'
      FROM lot l, (SELECT seq FROM freed UNION ALL SELECT seq FROM picked) t WHERE l.id = :lot
    ), counted AS (
      SELECT (SELECT count(*)::int FROM freed) AS freed, count(*)::int AS picked,
        min(seq) AS first_seq, max(seq) AS last_seq FROM picked
    ), moved AS (
      UPDATE lot l SET
        free_count = l.free_count - c.freed,
        gaps_ahead = l.gaps_ahead + c.picked,
        has_stock = l.size - l.next_seq + 1 - l.gaps_ahead + l.free_count - c.freed - c.picked > 0
      FROM counted c WHERE l.id = :lot
    )
    SELECT * FROM counted
    """  # noqa: S608 - constant parts
)

_PICK = text(
    f"""
    SELECT u.seq FROM unit u WHERE u.lot_id = :lot AND u.seq >= :next_seq AND {_NO_GAP}
    ORDER BY u.seq LIMIT :count
    """  # noqa: S608 - constant parts
)

# Units of such a lot are numbered in the order of expiry, so the expired ones ahead are a run at
# the cursor and the first living one is found by walking over that run only.
_WITHDRAW_EXPIRED = text(
    f"""
    WITH moment AS (SELECT clock_timestamp() AS now),
    found AS (
      SELECT l.id, l.merchant_id, l.next_seq, l.size, m.now,
        coalesce(
          (SELECT u.seq FROM unit u
           WHERE u.lot_id = l.id AND u.seq >= l.next_seq
             AND (u.expires_at IS NULL OR u.expires_at > m.now) AND {_NO_GAP}
           ORDER BY u.seq LIMIT 1),
          l.size + 1) AS living_seq
      FROM lot l, moment m WHERE l.id = :lot
    ), freed AS (
      DELETE FROM free_unit f USING found WHERE f.lot_id = found.id AND f.expires_at <= found.now
      RETURNING f.seq
    ), passed AS (
      SELECT u.seq FROM found JOIN unit u ON u.lot_id = found.id
        AND u.seq >= found.next_seq AND u.seq < found.living_seq
      WHERE {_NO_GAP}
    ), withdrawn AS (
      INSERT INTO withdrawn_unit (lot_id, seq, merchant_id, state, reason)
      SELECT found.id, gone.seq, found.merchant_id, 'expired', 'expired'
      FROM found, (SELECT seq FROM freed UNION ALL SELECT seq FROM passed) AS gone
      RETURNING seq
    ), counted AS (
      UPDATE lot_tally t SET expired = t.expired + (SELECT count(*) FROM withdrawn)
      FROM found WHERE t.lot_id = found.id
    )
    UPDATE lot l SET
      next_seq = found.living_seq,
      free_count = l.free_count - (SELECT count(*) FROM freed),
      gaps_ahead = l.gaps_ahead
        - (found.living_seq - found.next_seq - (SELECT count(*) FROM passed)),
      has_stock = found.living_seq <= l.size
        OR l.free_count > (SELECT count(*) FROM freed),
      head_expires_at = least(
        (SELECT u.expires_at FROM unit u WHERE u.lot_id = l.id AND u.seq = found.living_seq),
        (SELECT f.expires_at FROM free_unit f
         WHERE f.lot_id = l.id AND f.expires_at > found.now ORDER BY f.seq LIMIT 1))
    FROM found WHERE l.id = found.id
    RETURNING (SELECT count(*) FROM withdrawn) AS withdrawn
    """  # noqa: S608 - constant parts
)

# What a cursor passes here are gaps, all of them.
_STEP = text(
    f"""
    UPDATE lot l SET
      next_seq = s.seq,
      gaps_ahead = l.gaps_ahead - (s.seq - l.next_seq),
      head_expires_at = CASE WHEN l.mixed_expiry THEN least(
          (SELECT u.expires_at FROM unit u WHERE u.lot_id = l.id AND u.seq = s.seq),
          (SELECT f.expires_at FROM free_unit f WHERE f.lot_id = l.id ORDER BY f.seq LIMIT 1))
        ELSE l.head_expires_at END
    FROM (
      SELECT o.id, coalesce(
        (SELECT u.seq FROM unit u WHERE u.lot_id = o.id AND u.seq >= o.next_seq AND {_NO_GAP}
         ORDER BY u.seq LIMIT 1), o.size + 1) AS seq
      FROM lot o WHERE o.id = ANY(CAST(:lots AS uuid[]))
    ) s
    WHERE l.id = s.id
    """  # noqa: S608 - constant parts
)

_NOTE_RUN = text(
    """
    WITH l AS (SELECT id, merchant_id, next_seq FROM lot WHERE id = :lot), merged AS (
      DELETE FROM gap_run g USING l
      WHERE g.lot_id = l.id AND (g.last_seq < l.next_seq
        OR g.first_seq <= CAST(:last AS int) + 1 AND g.last_seq >= CAST(:first AS int) - 1)
      RETURNING g.first_seq, g.last_seq, g.last_seq < l.next_seq AS is_passed
    ), whole AS (
      SELECT least(:first, min(first_seq)) AS first_seq, greatest(:last, max(last_seq)) AS last_seq
      FROM merged WHERE NOT is_passed
    )
    INSERT INTO gap_run (lot_id, first_seq, last_seq, merchant_id)
    SELECT l.id, w.first_seq, w.last_seq, l.merchant_id FROM l, whole w
    """
)

_SPLIT_RUNS = text(
    """
    WITH back AS (
      SELECT * FROM unnest(CAST(:lots AS uuid[]), CAST(:seqs AS int[])) AS b(lot_id, seq)
    ), hit AS (
      DELETE FROM gap_run g USING (
        SELECT DISTINCT r.lot_id, r.first_seq FROM gap_run r
        JOIN back b ON b.lot_id = r.lot_id AND b.seq BETWEEN r.first_seq AND r.last_seq) h
      WHERE g.lot_id = h.lot_id AND g.first_seq = h.first_seq
      RETURNING g.lot_id, g.first_seq, g.last_seq, g.merchant_id
    ), points AS (
      SELECT h.lot_id, h.merchant_id, p.seq,
        lead(p.seq) OVER (PARTITION BY h.lot_id, h.first_seq ORDER BY p.seq) AS next_seq
      FROM hit h CROSS JOIN LATERAL (
        SELECT h.first_seq - 1 AS seq
        UNION SELECT h.last_seq + 1
        UNION SELECT b.seq FROM back b
          WHERE b.lot_id = h.lot_id AND b.seq BETWEEN h.first_seq AND h.last_seq) p
    )
    INSERT INTO gap_run (lot_id, first_seq, last_seq, merchant_id)
    SELECT lot_id, seq + 1, next_seq - 1, merchant_id FROM points WHERE next_seq - seq > 1
    """
)
