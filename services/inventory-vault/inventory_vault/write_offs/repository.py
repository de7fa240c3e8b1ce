"""SQL of what is lost. `write_off` is called under the pool's lock."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from inventory_vault.on_shelf import ON_SHELF
from inventory_vault.write_offs.domain import DueLot, ExpiredVoucher, LosingLot, WriteOff
from kit.db import Transaction
from kit.ids import new_id
from kit.money import Money


async def losing_lots(tx: Transaction, limit: int) -> list[LosingLot]:
    """Lots with lost units that were not told yet, at most `limit`."""
    rows = await tx.execute(_LOSING, {"limit": limit})
    return [LosingLot(row.id, row.pool_id) for row in rows]


async def write_off(tx: Transaction, lot_id: UUID, units_max: int) -> list[WriteOff]:
    """Notes up to so many lost units of a lot, those not told before; one write-off per reason."""
    values = {"lot": lot_id, "limit": units_max, "expired": new_id(), "voided": new_id()}
    return [
        WriteOff(
            id=row.write_off_id,
            lot_id=lot_id,
            pool_id=row.pool_id,
            merchant_id=row.merchant_id,
            supplier=row.supplier,
            is_expired=row.is_expired,
            quantity=row.quantity,
            cost=Money(int(row.cost), row.currency),
        )
        for row in await tx.execute(_WRITE_OFF, values)
    ]


async def due_lots(tx: Transaction, after: UUID | None, limit: int) -> list[DueLot]:
    """Lots with vouchers that expired since their last look, in the order of their ids."""
    rows = await tx.execute(_DUE_LOTS, {"after": after, "limit": limit})
    return [DueLot(row.lot_id, row.first_seq, row.last_seq, row.until) for row in rows]


async def expire_vouchers(
    tx: Transaction, lot: DueLot, first: int, last: int
) -> list[ExpiredVoucher]:
    """Notes sold vouchers with these numbers whose time is over and that were not told before; not
    those that somebody redeems or takes back now.
    """
    part = {"lot": lot.id, "first": first, "last": last, "until": lot.until}
    due = (await tx.execute(_DUE_VOUCHERS, part)).all()
    if not due:
        return []
    values = {"lots": [lot.id for _ in due], "seqs": [row.seq for row in due]}
    return [
        ExpiredVoucher(
            row.unit_id,
            row.lot_id,
            row.pool_id,
            row.merchant_id,
            Money(row.balance, row.currency),
        )
        for row in await tx.execute(_EXPIRE_VOUCHERS, values)
    ]


async def may_expire_later(tx: Transaction, lot: DueLot, first: int, last: int) -> bool:
    """Whether one of these was left out: it was locked, or is held and may still be sold."""
    part = {"lot": lot.id, "first": first, "last": last, "until": lot.until}
    return bool((await tx.execute(_MAY_EXPIRE_LATER, part)).one().may)


async def note_told(tx: Transaction, lot: DueLot, margin: timedelta) -> None:
    """Nothing that expired until then is looked at again. `margin`: a hold that was being made as
    its unit expired is not in the table yet.
    """
    await tx.execute(_NOTE_TOLD, {"lot": lot.id, "until": lot.until - margin})


async def note_expired(tx: Transaction, voucher: ExpiredVoucher) -> bool:
    """False when it was noted before."""
    values = {
        "unit": voucher.unit_id,
        "merchant": voucher.merchant_id,
        "balance": voucher.balance.amount_minor,
        "currency": voucher.balance.currency,
    }
    return (await tx.execute(_NOTE_EXPIRED, values)).one_or_none() is not None


_NOTE_EXPIRED = text(
    """
    INSERT INTO expired_voucher (unit_id, merchant_id, balance, currency)
    VALUES (:unit, :merchant, :balance, :currency)
    ON CONFLICT (unit_id) DO NOTHING RETURNING unit_id
    """
)

# Units that differ in expiry are numbered in its order, so what is due of them stands together.
_DUE_LOTS = text(
    """
    SELECT l.id AS lot_id, n.now AS until,
      CASE WHEN d.is_whole THEN 1 ELSE u.first_seq END AS first_seq,
      CASE WHEN d.is_whole THEN l.size ELSE u.last_seq END AS last_seq
    FROM (SELECT clock_timestamp() AS now) n
    CROSS JOIN voucher_terms t
    JOIN lot l ON l.id = t.lot_id
    LEFT JOIN voucher_watch w ON w.lot_id = t.lot_id
    CROSS JOIN LATERAL (SELECT coalesce(w.told_until, '-infinity') AS told_until) s
    CROSS JOIN LATERAL (
      SELECT coalesce(l.expires_at > s.told_until AND l.expires_at <= n.now, false) AS is_whole) d
    CROSS JOIN LATERAL (
      SELECT min(seq) AS first_seq, max(seq) AS last_seq FROM unit
      WHERE NOT d.is_whole AND lot_id = l.id
        AND expires_at > s.told_until AND expires_at <= n.now) u
    WHERE l.state NOT IN ('importing', 'undone')
      AND (CAST(:after AS uuid) IS NULL OR t.lot_id > :after)
      AND (d.is_whole OR u.first_seq IS NOT NULL)
    ORDER BY t.lot_id LIMIT :limit
    """
)

_PART = """
    FROM allocation a
    JOIN lot l ON l.id = a.lot_id
    JOIN voucher_terms t ON t.lot_id = a.lot_id
    JOIN unit u ON u.lot_id = a.lot_id AND u.seq = a.seq
    LEFT JOIN unit_balance b ON b.lot_id = u.lot_id AND b.seq = u.seq
    WHERE a.lot_id = :lot AND a.seq BETWEEN :first AND :last
      AND coalesce(u.expires_at, l.expires_at) <= :until
"""
_UNTOLD = """
    a.state IN ('sold', 'opened') AND t.face_value > coalesce(b.redeemed, 0)
      AND NOT EXISTS (SELECT 1 FROM expired_voucher e WHERE e.unit_id = u.unit_id)
"""

# Locked as a redemption locks them: one that began in time ends before its unit is taken here, and
# later ones find that the time is over.
_DUE_VOUCHERS = text(f"SELECT a.seq {_PART} AND {_UNTOLD} FOR NO KEY UPDATE OF a SKIP LOCKED")

_MAY_EXPIRE_LATER = text(
    f"SELECT EXISTS (SELECT 1 {_PART} AND (a.state = 'reserved' OR {_UNTOLD})) AS may"
)

_NOTE_TOLD = text(
    """
    INSERT INTO voucher_watch AS w (lot_id, merchant_id, told_until)
    SELECT id, merchant_id, :until FROM lot WHERE id = :lot
    ON CONFLICT (lot_id) DO UPDATE SET told_until = greatest(w.told_until, excluded.told_until)
    """
)

# A statement of its own: it sees what was committed until the units were locked. Who takes a
# redemption back notes the balance before it, so either that or this is told.
_EXPIRE_VOUCHERS = text(
    """
    WITH due AS MATERIALIZED (
      SELECT u.unit_id, u.lot_id, l.pool_id, u.merchant_id, t.currency,
        t.face_value - coalesce(b.redeemed, 0) AS balance
      FROM unnest(CAST(:lots AS uuid[]), CAST(:seqs AS integer[])) AS locked(lot_id, seq)
      JOIN unit u ON u.lot_id = locked.lot_id AND u.seq = locked.seq
      JOIN lot l ON l.id = u.lot_id JOIN voucher_terms t ON t.lot_id = u.lot_id
      LEFT JOIN unit_balance b ON b.lot_id = u.lot_id AND b.seq = u.seq
      WHERE t.face_value > coalesce(b.redeemed, 0)
    ), noted AS (
      INSERT INTO expired_voucher (unit_id, merchant_id, balance, currency)
      SELECT unit_id, merchant_id, balance, currency FROM due
      ON CONFLICT (unit_id) DO NOTHING RETURNING unit_id
    )
    SELECT due.* FROM due JOIN noted USING (unit_id)
    """
)

# By counts alone: a lot is lost as a whole when it is void or its one expiry has passed, and unit
# by unit otherwise.
_LOSING = text(
    f"""
    SELECT l.id, l.pool_id FROM lot l JOIN lot_tally t ON t.lot_id = l.id
    WHERE l.state NOT IN ('importing', 'undone')
      AND t.expired + t.void + CASE
        WHEN l.state = 'void' OR (l.state = 'on_shelf' AND NOT l.mixed_expiry
          AND l.head_expires_at <= clock_timestamp())
        THEN {ON_SHELF} ELSE 0 END > t.written_off
    ORDER BY l.id LIMIT :limit
    """  # noqa: S608 - constant parts
)

_WRITE_OFF = text(
    """
    WITH target AS MATERIALIZED (
      SELECT *, state = 'void' AS is_void, coalesce(state = 'on_shelf' AND NOT mixed_expiry
        AND head_expires_at <= clock_timestamp(), false) AS is_past
      FROM lot WHERE id = :lot AND state NOT IN ('importing', 'undone')
    ), lost AS MATERIALIZED (
      SELECT w.seq, w.state = 'expired' AS is_expired
      FROM target l JOIN withdrawn_unit w ON w.lot_id = l.id
      WHERE w.state IN ('expired', 'void') AND NOT EXISTS (
        SELECT 1 FROM written_off_unit o WHERE o.lot_id = w.lot_id AND o.seq = w.seq)
      UNION ALL
      SELECT u.seq, l.is_past
      FROM target l JOIN unit u ON u.lot_id = l.id
      WHERE (l.is_void OR l.is_past)
        AND NOT EXISTS (
          SELECT 1 FROM written_off_unit o WHERE o.lot_id = u.lot_id AND o.seq = u.seq)
        AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.lot_id = u.lot_id AND a.seq = u.seq)
        AND NOT EXISTS (
          SELECT 1 FROM withdrawn_unit w WHERE w.lot_id = u.lot_id AND w.seq = u.seq)
      LIMIT :limit
    ), noted AS (
      INSERT INTO written_off_unit (lot_id, seq, merchant_id, is_expired, write_off_id)
      SELECT l.id, lost.seq, l.merchant_id, lost.is_expired,
        CASE WHEN lost.is_expired THEN CAST(:expired AS uuid) ELSE CAST(:voided AS uuid) END
      FROM lost, target l
      RETURNING seq, is_expired, write_off_id
    ), counted AS (
      UPDATE lot_tally t SET written_off = t.written_off + (SELECT count(*) FROM noted)
      WHERE t.lot_id = :lot
    )
    SELECT noted.write_off_id, noted.is_expired, l.pool_id, l.merchant_id, l.supplier, l.currency,
      count(*)::int AS quantity, sum(coalesce(u.unit_cost, l.unit_cost)) AS cost
    FROM noted JOIN unit u ON u.lot_id = :lot AND u.seq = noted.seq, target l
    GROUP BY noted.write_off_id, noted.is_expired, l.pool_id, l.merchant_id, l.supplier, l.currency
    """
)
