"""SQL of the shelves. What moves a cursor or a free list is called under the pool's lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from inventory_vault.pools.domain import Pool, stored_pool
from inventory_vault.shelves.domain import Allotted, ShelfChanged, ShelfLot, TakenUnit
from kit.db import Transaction
from kit.money import Money


@dataclass(frozen=True, slots=True)
class ShelfRows:
    """The lots with stock of some pools, in FEFO order; `stale` ones hold units that expired. `at`
    is the database's time, once the locks were held.
    """

    lots: dict[UUID, list[ShelfLot]]
    stale: list[UUID]
    at: datetime


async def open_shelves(
    tx: Transaction, pool_ids: Sequence[UUID]
) -> tuple[dict[UUID, Pool], ShelfRows]:
    """The existing ones of these pools, locked in the order of their ids, and their lots as they
    are once the locks are held.
    """
    pools: dict[UUID, Pool] = {}
    lots: dict[UUID, list[ShelfLot]] = {}
    stale: list[UUID] = []
    at = _NO_TIME
    for row in await tx.execute(_OPEN_SHELVES, {"pools": list(pool_ids)}):
        at = row.at
        if row.pool_id not in pools:
            pools[row.pool_id] = stored_pool(row.pool_id, row)
            lots[row.pool_id] = []
        if row.lot_id is None:
            continue
        if row.stale:
            stale.append(row.lot_id)
        lots[row.pool_id].append(
            ShelfLot(
                id=row.lot_id,
                pool_id=row.pool_id,
                next_seq=row.next_seq,
                to_seq=row.next_seq,
                ahead=row.ahead,
                free=row.free_count,
                has_gaps=row.gaps_ahead > 0,
            )
        )
    return pools, ShelfRows(lots, stale, at)


async def take_free(tx: Transaction, lots: Sequence[ShelfLot]) -> dict[UUID, list[int]]:
    """Removes what was drawn from the free lists, the earliest expiry first."""
    wanted = [lot for lot in lots if lot.free_drawn]
    if not wanted:
        return {}
    rows = await tx.execute(
        _TAKE_FREE,
        {"lots": [lot.id for lot in wanted], "counts": [lot.free_drawn for lot in wanted]},
    )
    taken: dict[UUID, list[int]] = {lot.id: [] for lot in wanted}
    for row in rows:
        taken[row.lot_id].append(row.seq)
    for lot in wanted:
        if len(taken[lot.id]) != lot.free_drawn:
            raise ShelfChanged(f"lot {lot.id}: the free list is shorter than its count")
    return {lot_id: sorted(seqs) for lot_id, seqs in taken.items()}


def allocate(tx: Transaction, lots: Sequence[ShelfLot], allotted: Sequence[Allotted]) -> None:
    """Moves cursors and counts and writes the allocations, with what else is left for the end of
    the transaction; that raises ShelfChanged when a cursor is not where it was seen.
    """
    expected = sum(run.last_seq - run.first_seq + 1 for run in allotted)

    def check(units: int) -> None:
        if units != expected:
            raise ShelfChanged(f"{units} units were allocated instead of {expected}")

    tx.later(
        _ALLOCATE,
        {
            "lots": [lot.id for lot in lots],
            "from_seqs": [lot.next_seq for lot in lots],
            "to_seqs": [lot.to_seq for lot in lots],
            "freed": [lot.free_drawn for lot in lots],
            "stepped": [lot.to_seq - lot.next_seq - lot.cursor_drawn for lot in lots],
            "lot_count": len(lots),
            "unit_lots": [run.lot_id for run in allotted],
            "reservations": [run.line.reservation_id for run in allotted],
            "merchants": [run.line.merchant_id for run in allotted],
            "line_nos": [run.line.line_no for run in allotted],
            "firsts": [run.first_seq for run in allotted],
            "lasts": [run.last_seq for run in allotted],
        },
        check=check,
    )


async def put_back(tx: Transaction, reservation_ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
    """Units that are still reserved go back on the shelf; (lot, number) of those that are ahead of
    their cursors.
    """
    rows = await tx.execute(_PUT_BACK, {"reservations": list(reservation_ids)})
    return [(row.lot_id, row.seq) for row in rows]


async def put_rest_back(
    tx: Transaction, kept: Sequence[tuple[UUID, int, int]]
) -> list[tuple[UUID, int]]:
    """`kept`: (reservation, line, units that stay). The other units of these reservations go back,
    those that expire first stay. Answers as `put_back`.
    """
    rows = await tx.execute(
        _PUT_REST_BACK,
        {
            "reservations": sorted({reservation_id for reservation_id, _, _ in kept}),
            "kept_of": [reservation_id for reservation_id, _, _ in kept],
            "line_nos": [line_no for _, line_no, _ in kept],
            "units": [units for _, _, units in kept],
        },
    )
    return [(row.lot_id, row.seq) for row in rows]


async def sell(tx: Transaction, reservation_ids: Sequence[UUID]) -> tuple[list[TakenUnit], int]:
    """reserved -> sold with one sale row per unit: all units of these reservations, as `units_of`,
    and how many of them were reserved.
    """
    rows = (await tx.execute(_SELL, {"reservations": list(reservation_ids)})).all()
    return _units(rows), rows[0].sold if rows else 0


def count_sold(tx: Transaction, units: Mapping[UUID, int]) -> None:
    """Adds to the lots' tallies, locked in a fixed order."""
    lots = sorted(units)
    tx.later(_COUNT_SOLD, {"lots": lots, "counts": [units[lot] for lot in lots]})


async def units_of(tx: Transaction, reservation_ids: Sequence[UUID]) -> list[TakenUnit]:
    """The units of these reservations in the order of lines and lots."""
    return _units((await tx.execute(_UNITS_OF, {"reservations": list(reservation_ids)})).all())


def _units(rows: Sequence[Row[Any]]) -> list[TakenUnit]:
    found: list[TakenUnit] = []
    for row in rows:
        cost = Money(row.unit_cost, row.currency)
        face = Money(row.face_value, row.face_currency) if row.face_value else None
        found += [
            TakenUnit(
                unit_id,
                row.lot_id,
                seq,
                row.reservation_id,
                row.line_no,
                mask,
                cost,
                row.expires_at,
                row.is_redeemable,
                face,
            )
            for unit_id, seq, mask in zip(row.unit_ids, row.seqs, row.masks, strict=True)
        ]
    return found


async def open_unit(tx: Transaction, lot_id: UUID, seq: int) -> bool:
    """sold -> opened; False when it was opened before."""
    result = await tx.execute(_OPEN_UNIT, {"lot": lot_id, "seq": seq})
    return result.rowcount == 1


async def stale_lots(tx: Transaction, limit: int) -> list[tuple[UUID, UUID]]:
    """(pool, lot) of lots with mixed expiry whose next unit has expired."""
    rows = await tx.execute(_STALE_LOTS, {"limit": limit})
    return [(row.pool_id, row.id) for row in rows]


# A function, because each of its statements sees what was committed while the one before it waited.
_OPEN_SHELVES = text(
    "SELECT *, clock_timestamp() AS at FROM vault_open_shelves(CAST(:pools AS uuid[]))"
)
# No pool was there, so nothing happens at this time.
_NO_TIME = datetime.min.replace(tzinfo=UTC)

# In a lot the order of numbers is the order of expiry.
_TAKE_FREE = text(
    """
    WITH wanted AS (
      SELECT * FROM unnest(CAST(:lots AS uuid[]), CAST(:counts AS int[])) AS w(lot_id, units)
    ), picked AS MATERIALIZED (
      SELECT w.lot_id, f.seq FROM wanted w CROSS JOIN LATERAL (
        SELECT seq FROM free_unit WHERE lot_id = w.lot_id
        ORDER BY seq LIMIT w.units) AS f
    )
    DELETE FROM free_unit f USING picked p
    WHERE f.lot_id = p.lot_id AND f.seq = p.seq RETURNING f.lot_id, f.seq
    """
)

# The count of moved cursors is compared inside the statement: a cursor that is not where the plan
# saw it leaves nothing inserted, and the caller's row count tells.
_ALLOCATE = text(
    """
    WITH move AS (
      SELECT * FROM unnest(
        CAST(:lots AS uuid[]), CAST(:from_seqs AS int[]), CAST(:to_seqs AS int[]),
        CAST(:freed AS int[]), CAST(:stepped AS int[])
      ) AS m(lot_id, from_seq, to_seq, freed, stepped)
    ), moved AS (
      UPDATE lot l SET
        next_seq = m.to_seq,
        free_count = l.free_count - m.freed,
        gaps_ahead = l.gaps_ahead - m.stepped,
        has_stock = l.size - m.to_seq + 1 - (l.gaps_ahead - m.stepped)
          + l.free_count - m.freed > 0,
        head_expires_at = CASE WHEN l.mixed_expiry THEN least(
            (SELECT u.expires_at FROM unit u WHERE u.lot_id = l.id AND u.seq = m.to_seq),
            (SELECT f.expires_at FROM free_unit f WHERE f.lot_id = l.id ORDER BY f.seq LIMIT 1))
          ELSE l.head_expires_at END
      FROM move m WHERE l.id = m.lot_id AND l.next_seq = m.from_seq
      RETURNING l.id
    )
    INSERT INTO allocation (lot_id, seq, reservation_id, line_no, merchant_id, state)
    SELECT a.lot_id, s.seq, a.reservation_id, a.line_no, a.merchant_id, 'reserved'
    FROM unnest(
      CAST(:unit_lots AS uuid[]), CAST(:reservations AS uuid[]), CAST(:line_nos AS smallint[]),
      CAST(:merchants AS uuid[]), CAST(:firsts AS int[]), CAST(:lasts AS int[])
    ) AS a(lot_id, reservation_id, line_no, merchant_id, first_seq, last_seq),
    generate_series(a.first_seq, a.last_seq) AS s(seq)
    WHERE (SELECT count(*) FROM moved) = :lot_count
    """
)

# Behind the cursor a unit comes back through the free list, ahead of it by no longer being a gap.
_BACK = """
    back AS (
      SELECT g.lot_id, g.seq, g.merchant_id, u.expires_at, g.seq >= l.next_seq AS is_ahead
      FROM gone g JOIN lot l ON l.id = g.lot_id
      LEFT JOIN unit u ON l.mixed_expiry AND u.lot_id = g.lot_id AND u.seq = g.seq
    ), freed AS (
      INSERT INTO free_unit (lot_id, seq, merchant_id, expires_at)
      SELECT lot_id, seq, merchant_id, expires_at FROM back WHERE NOT is_ahead
    ), counted AS (
      SELECT lot_id, count(*) FILTER (WHERE NOT is_ahead) AS freed,
        count(*) FILTER (WHERE is_ahead) AS ahead, min(expires_at) AS expires_at
      FROM back GROUP BY lot_id
    ), moved AS (
      UPDATE lot l SET
        free_count = l.free_count + c.freed,
        gaps_ahead = l.gaps_ahead - c.ahead,
        has_stock = true,
        head_expires_at = CASE WHEN NOT l.mixed_expiry THEN l.head_expires_at
          WHEN NOT l.has_stock THEN c.expires_at
          ELSE least(l.head_expires_at, c.expires_at) END
      FROM counted c WHERE l.id = c.lot_id
    )
    SELECT lot_id, seq FROM back WHERE is_ahead
"""

_PUT_BACK = text(
    f"""
    WITH gone AS (
      DELETE FROM allocation
      WHERE reservation_id = ANY(CAST(:reservations AS uuid[])) AND state = 'reserved'
      RETURNING lot_id, seq, merchant_id
    ), {_BACK}
    """  # noqa: S608 - constant parts
)

_PUT_REST_BACK = text(
    f"""
    WITH kept AS (
      SELECT * FROM unnest(
        CAST(:kept_of AS uuid[]), CAST(:line_nos AS smallint[]), CAST(:units AS int[])
      ) AS k(reservation_id, line_no, units)
    ), ranked AS (
      SELECT a.lot_id, a.seq, a.reservation_id, a.line_no, row_number() OVER (
        PARTITION BY a.reservation_id, a.line_no
        ORDER BY coalesce(u.expires_at, l.expires_at) NULLS LAST, a.lot_id, a.seq) AS place
      FROM allocation a JOIN lot l ON l.id = a.lot_id
      JOIN unit u ON u.lot_id = a.lot_id AND u.seq = a.seq
      WHERE a.reservation_id = ANY(CAST(:reservations AS uuid[])) AND a.state = 'reserved'
    ), gone AS (
      DELETE FROM allocation a USING ranked r LEFT JOIN kept k
        ON k.reservation_id = r.reservation_id AND k.line_no = r.line_no
      WHERE a.lot_id = r.lot_id AND a.seq = r.seq AND r.place > coalesce(k.units, 0)
      RETURNING a.lot_id, a.seq, a.merchant_id
    ), {_BACK}
    """  # noqa: S608 - constant parts
)

# Units that differ in nothing but themselves come in arrays: the driver reads them several times
# faster than a row per unit.
_UNITS = """
    SELECT reservation_id, line_no, lot_id, unit_cost, currency, expires_at, is_redeemable,
      face_value, face_currency,
      array_agg(unit_id) AS unit_ids, array_agg(seq) AS seqs, array_agg(mask) AS masks{more}
    FROM (
      SELECT a.lot_id, a.seq, a.reservation_id, a.line_no, u.unit_id, u.mask,
        coalesce(u.unit_cost, l.unit_cost) AS unit_cost, l.currency,
        coalesce(u.expires_at, l.expires_at) AS expires_at,
        p.unit_kind = 'voucher' AS is_redeemable,
        v.face_value, v.currency AS face_currency
      FROM allocation a
      JOIN unit u ON u.lot_id = a.lot_id AND u.seq = a.seq
      JOIN lot l ON l.id = a.lot_id
      JOIN pool p ON p.id = l.pool_id
      LEFT JOIN voucher_terms v ON v.lot_id = a.lot_id AND p.unit_kind = 'voucher'
      WHERE a.reservation_id = ANY(CAST(:reservations AS uuid[]))
      ORDER BY a.reservation_id, a.line_no, a.lot_id, a.seq
    ) AS taken
    GROUP BY reservation_id, line_no, lot_id, unit_cost, currency, expires_at, is_redeemable,
      face_value, face_currency
    ORDER BY reservation_id, line_no, lot_id, min(seq)
"""
_UNITS_OF = text(_UNITS.format(more=""))
# The last part reads the rows as they were before: whatever their state, so the count tells.
_SELL = text(
    f"""
    WITH sold AS (
      UPDATE allocation SET state = 'sold'
      WHERE reservation_id = ANY(CAST(:reservations AS uuid[])) AND state = 'reserved'
      RETURNING lot_id, seq, reservation_id, line_no, merchant_id
    ), logged AS (
      INSERT INTO unit_sale (unit_id, merchant_id, lot_id, seq, reservation_id, line_no)
      SELECT u.unit_id, s.merchant_id, s.lot_id, s.seq, s.reservation_id, s.line_no
      FROM sold s JOIN unit u ON u.lot_id = s.lot_id AND u.seq = s.seq
      RETURNING unit_id
    )
    {_UNITS.format(more=", (SELECT count(*) FROM logged) AS sold")}
    """  # noqa: S608 - constant parts
)

_COUNT_SOLD = text(
    """
    UPDATE lot_tally t SET sold = t.sold + d.units
    FROM unnest(CAST(:lots AS uuid[]), CAST(:counts AS int[])) AS d(lot_id, units)
    JOIN (
      SELECT lot_id FROM lot_tally WHERE lot_id = ANY(CAST(:lots AS uuid[]))
      ORDER BY lot_id FOR NO KEY UPDATE
    ) locked ON locked.lot_id = d.lot_id
    WHERE t.lot_id = d.lot_id
    """
)

_OPEN_UNIT = text(
    """
    WITH opened AS (
      UPDATE allocation SET state = 'opened'
      WHERE lot_id = :lot AND seq = :seq AND state = 'sold' RETURNING lot_id
    )
    UPDATE lot_tally t SET sold = t.sold - 1, opened = t.opened + 1
    FROM opened o WHERE t.lot_id = o.lot_id
    """
)

_STALE_LOTS = text(
    """
    SELECT id, pool_id FROM lot
    WHERE has_stock AND state = 'on_shelf' AND mixed_expiry AND head_expires_at <= clock_timestamp()
    ORDER BY head_expires_at LIMIT :limit
    """
)
