from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from inventory_vault.pools.domain import UnitKind
from inventory_vault.redemptions.domain import Allowance, Asker, Redeemable, Redemption
from inventory_vault.vouchers.domain import Terms
from kit.db import Transaction
from kit.money import Money

HANDICAP_MAX = timedelta(days=1)
"""The longest wait that wrong codes add up to."""
FORGET_BATCH = 5_000


async def find_by_code(
    tx: Transaction, asker: Asker, allowance: Allowance, fingerprints: Sequence[bytes]
) -> tuple[UUID | None, float]:
    """(unit, seconds the asker must wait before it may ask at all)."""
    row = (
        await tx.execute(
            _FIND_BY_CODE,
            {
                "merchant": asker.merchant_id,
                "fingerprints": list(fingerprints),
                "subjects": asker.subjects,
                "slack": allowance.every * (allowance.burst - 1),
            },
        )
    ).one()
    return row.unit_id, float(row.wait)


async def count_wrong(tx: Transaction, asker: Asker, allowance: Allowance) -> list[str]:
    """Takes a wrong code off the allowance of caller and shop; whose is at its end now."""
    rows = await tx.execute(
        _COUNT_WRONG,
        {
            "subjects": sorted(asker.subjects),
            "every": allowance.every,
            "slack": allowance.every * (allowance.burst - 1),
            "most": HANDICAP_MAX,
        },
    )
    return [row.subject for row in rows if row.is_over]


async def forget_wrong(tx: Transaction) -> int:
    """Drops rows that limit nobody any more; how many."""
    return (await tx.execute(_FORGET_WRONG, {"batch": FORGET_BATCH})).rowcount


async def lock_unit(tx: Transaction, merchant_id: UUID, unit_id: UUID) -> bool:
    """Other redemptions of the unit, and changes of its lot's terms, wait until `tx` ends. False
    when there is no such unit.
    """
    rows = await tx.execute(_LOCK_UNIT, {"unit": unit_id, "merchant": merchant_id})
    return rows.one_or_none() is not None


async def find_redeemable(tx: Transaction, merchant_id: UUID, unit_id: UUID) -> Redeemable | None:
    rows = await tx.execute(_FIND_REDEEMABLE, {"unit": unit_id, "merchant": merchant_id})
    row = rows.one_or_none()
    return _to_redeemable(row) if row else None


async def add(tx: Transaction, values: dict[str, Any]) -> Redemption | None:
    """None when another call was faster under the same reference."""
    row = (await tx.execute(_ADD, values)).one_or_none()
    return _to_redemption(row) if row else None


async def find_by_reference(
    tx: Transaction, merchant_id: UUID, reference: str
) -> Redemption | None:
    rows = await tx.execute(_FIND_BY_REFERENCE, {"merchant": merchant_id, "reference": reference})
    row = rows.one_or_none()
    return _to_redemption(row) if row else None


async def find(tx: Transaction, merchant_id: UUID, redemption_id: UUID) -> Redemption | None:
    rows = await tx.execute(_FIND, {"id": redemption_id, "merchant": merchant_id})
    row = rows.one_or_none()
    return _to_redemption(row) if row else None


async def list_of(
    tx: Transaction,
    merchant_id: UUID,
    *,
    unit_id: UUID | None,
    reference: str | None,
    after: UUID | None,
    limit: int,
) -> list[Redemption]:
    """The oldest first."""
    query = _LIST_OF_UNIT if unit_id else _LIST
    values = {"merchant": merchant_id, "reference": reference, "after": after, "limit": limit}
    if unit_id:
        values["unit"] = unit_id
    return [_to_redemption(row) for row in await tx.execute(query, values)]


async def use(tx: Transaction, found: Redeemable, wish: dict[str, Any], limit: int) -> bool:
    """Counts the unit among those a buyer or shop uses, once; False when that is over the limit.
    `wish`: merchant, party, party_id.
    """
    values = {"lot": found.lot_id, "unit": found.unit_id, "limit": limit, **wish}
    row = (await tx.execute(_USE[wish["party"]], values)).one()
    return bool(row.is_counted)


async def unuse(tx: Transaction, done: Redemption) -> None:
    """Takes the unit off the counts, once nothing of it is in use by that buyer or shop."""
    for party, party_id in (("buyer", done.buyer_id), ("shop", done.shop_id)):
        if party_id is not None:
            await tx.execute(
                _UNUSE[party], {"lot": done.lot_id, "unit": done.unit_id, "party_id": party_id}
            )


async def add_rollback(
    tx: Transaction, redemption: Redemption, reason: str, requested_by: str
) -> bool:
    """False when it was rolled back before."""
    result = await tx.execute(
        _ADD_ROLLBACK,
        {
            "id": redemption.id,
            "merchant": redemption.merchant_id,
            "reason": reason,
            "caller": requested_by,
        },
    )
    return result.rowcount == 1


async def mark_redeemed(tx: Transaction, found: Redeemable) -> None:
    """sold or opened -> redeemed, in the rows and in the books."""
    values = {"lot": found.lot_id, "seq": found.seq, "state": found.state}
    result = await tx.execute(_MARK_REDEEMED, values)
    assert result.rowcount == 1, "the unit was locked in another state"


async def mark_redeemable(tx: Transaction, found: Redeemable) -> None:
    """redeemed -> what it was before; opened when it was shown meanwhile."""
    values = {"lot": found.lot_id, "seq": found.seq, "unit": found.unit_id}
    result = await tx.execute(_MARK_REDEEMABLE, values)
    assert result.rowcount == 1, "the unit was locked as redeemed"


def _to_redeemable(row: Row[Any]) -> Redeemable:
    terms = None
    if row.face_value is not None:
        face_value = Money(row.face_value, row.currency)
        terms = Terms(face_value, row.valid_from, row.per_buyer, row.per_shop)
    return Redeemable(
        unit_id=row.unit_id,
        lot_id=row.lot_id,
        seq=row.seq,
        pool_id=row.pool_id,
        unit_kind=UnitKind(row.unit_kind),
        state=row.state,
        lot_state=row.lot_state,
        expires_at=row.expires_at,
        is_expired=row.is_expired,
        is_early=row.is_early,
        terms=terms,
        redeemed_minor=row.redeemed,
        standing=row.standing,
        is_revoked=row.is_revoked,
    )


def _to_redemption(row: Row[Any]) -> Redemption:
    has_money = row.amount is not None
    return Redemption(
        id=row.id,
        merchant_id=row.merchant_id,
        merchant_reference=row.merchant_reference,
        unit_id=row.unit_id,
        lot_id=row.lot_id,
        seq=row.seq,
        amount=Money(row.amount, row.currency) if has_money else None,
        balance=Money(row.balance_after, row.currency) if has_money else None,
        is_whole=row.is_whole,
        state_before=row.state_before,
        buyer_id=row.buyer_id,
        shop_id=row.shop_id,
        redeemed_by=row.redeemed_by,
        redeemed_at=row.redeemed_at,
        rolled_back_at=row.rolled_back_at,
        rollback_reason=row.rollback_reason,
    )


# The limit is read with the unit, so that a right code costs one statement. A wrong one is counted
# afterwards: calls that come at the same moment may pass together, and all of them are counted.
_FIND_BY_CODE = text(
    """
    SELECT (
      SELECT u.unit_id FROM unit u
      JOIN lot l ON l.id = u.lot_id AND l.state NOT IN ('importing', 'undone')
      WHERE u.merchant_id = :merchant
        AND u.fingerprint = ANY(CAST(:fingerprints AS bytea[]))
      ORDER BY array_position(CAST(:fingerprints AS bytea[]), u.fingerprint) LIMIT 1
    ) AS unit_id, coalesce(extract(epoch FROM (
      SELECT max(free_at) FROM wrong_code WHERE subject = ANY(CAST(:subjects AS text[]))
    ) - CAST(:slack AS interval) - clock_timestamp()), 0) AS wait
    """
)

_COUNT_WRONG = text(
    """
    INSERT INTO wrong_code AS w (subject, free_at)
    SELECT subject, clock_timestamp() + CAST(:every AS interval)
    FROM unnest(CAST(:subjects AS text[])) AS s(subject)
    ON CONFLICT (subject) DO UPDATE SET free_at = least(
      greatest(w.free_at, clock_timestamp()) + CAST(:every AS interval),
      clock_timestamp() + CAST(:most AS interval))
    RETURNING subject, free_at > clock_timestamp() + CAST(:slack AS interval) AS is_over
    """
)

_FORGET_WRONG = text(
    "DELETE FROM wrong_code WHERE subject IN (SELECT subject FROM wrong_code "
    "WHERE free_at < clock_timestamp() ORDER BY free_at LIMIT :batch)"
)

# FOR KEY SHARE waits for a change of the lot's terms only, never for a reservation. A unit that
# nobody has, has no allocation to lock, and is refused anyway.
_LOCK_UNIT = text(
    """
    WITH found AS (
      SELECT u.lot_id, u.seq FROM unit u WHERE u.unit_id = :unit AND u.merchant_id = :merchant
    ), lots AS (
      SELECT l.id FROM lot l, found
      WHERE l.id = found.lot_id AND l.state NOT IN ('importing', 'undone')
      FOR KEY SHARE OF l
    ), taken AS (
      SELECT a.seq FROM allocation a, found
      WHERE a.lot_id = found.lot_id AND a.seq = found.seq FOR NO KEY UPDATE OF a
    )
    SELECT lots.id, taken.seq FROM lots LEFT JOIN taken ON true
    """
)

_FIND_REDEEMABLE = text(
    """
    SELECT u.unit_id, u.lot_id, u.seq, l.pool_id, p.unit_kind, l.state AS lot_state,
      coalesce(a.state, w.state, 'available') AS state,
      coalesce(u.expires_at, l.expires_at) AS expires_at,
      coalesce(coalesce(u.expires_at, l.expires_at) <= c.now, false) AS is_expired,
      coalesce(t.valid_from > c.now, false) AS is_early,
      t.face_value, t.currency, t.valid_from, t.per_buyer, t.per_shop,
      coalesce(b.redeemed, 0) AS redeemed, coalesce(b.standing, 0) AS standing,
      vault_is_revoked(u.unit_id) AS is_revoked
    FROM unit u
    CROSS JOIN (SELECT clock_timestamp() AS now) c
    JOIN lot l ON l.id = u.lot_id AND l.state NOT IN ('importing', 'undone')
    JOIN pool p ON p.id = l.pool_id
    LEFT JOIN voucher_terms t ON t.lot_id = u.lot_id
    LEFT JOIN allocation a ON a.lot_id = u.lot_id AND a.seq = u.seq
    LEFT JOIN withdrawn_unit w ON w.lot_id = u.lot_id AND w.seq = u.seq
    LEFT JOIN unit_balance b ON b.lot_id = u.lot_id AND b.seq = u.seq
    WHERE u.unit_id = :unit AND u.merchant_id = :merchant
    """
)

_ADD = text(
    """
    INSERT INTO redemption (id, merchant_id, merchant_reference, unit_id, lot_id, seq, amount,
      currency, balance_after, is_whole, state_before, buyer_id, shop_id, redeemed_by)
    VALUES (:id, :merchant, :reference, :unit, :lot, :seq, :amount, :currency, :balance, :whole,
      :state, :buyer, :shop, :caller)
    ON CONFLICT (merchant_id, merchant_reference) DO NOTHING
    RETURNING *, CAST(NULL AS timestamptz) AS rolled_back_at, CAST(NULL AS text) AS rollback_reason
    """
)

_REDEMPTIONS = """
    SELECT r.*, b.rolled_back_at, b.reason AS rollback_reason
    FROM redemption r LEFT JOIN redemption_rollback b ON b.redemption_id = r.id
    WHERE r.merchant_id = :merchant
"""

_FIND_BY_REFERENCE = text(f"{_REDEMPTIONS} AND r.merchant_reference = :reference")

_FIND = text(f"{_REDEMPTIONS} AND r.id = :id")

_PAGE = """
    AND (CAST(:reference AS text) IS NULL OR r.merchant_reference = :reference)
    AND (CAST(:after AS uuid) IS NULL OR r.id > :after)
    ORDER BY r.id LIMIT :limit
"""

_LIST = text(f"{_REDEMPTIONS} {_PAGE}")

_LIST_OF_UNIT = text(f"{_REDEMPTIONS} AND r.unit_id = :unit {_PAGE}")

_ADD_ROLLBACK = text(
    """
    INSERT INTO redemption_rollback (redemption_id, merchant_id, reason, rolled_back_by)
    VALUES (:id, :merchant, :reason, :caller) ON CONFLICT DO NOTHING
    """
)

_IN_USE = """
    SELECT 1 FROM redemption r WHERE r.unit_id = :unit AND r.{party}_id = :party_id
      AND NOT EXISTS (SELECT 1 FROM redemption_rollback b WHERE b.redemption_id = r.id)
"""

# Runs before the redemption is written, under the unit's lock, so nobody changes what is in use.
# The row of the party is the lock of its count.
_USE = {
    party: text(
        f"""
        WITH known AS ({_IN_USE.format(party=party)} LIMIT 1), counted AS (
          INSERT INTO voucher_use AS u (lot_id, party, party_id, merchant_id, vouchers)
          SELECT :lot, :party, :party_id, :merchant, 1 WHERE NOT EXISTS (SELECT 1 FROM known)
          ON CONFLICT (lot_id, party, party_id) DO UPDATE SET vouchers = u.vouchers + 1
            WHERE u.vouchers < :limit
          RETURNING 1
        )
        SELECT EXISTS (SELECT 1 FROM known) OR EXISTS (SELECT 1 FROM counted) AS is_counted
        """  # noqa: S608 - constant parts
    )
    for party in ("buyer", "shop")
}

_UNUSE = {
    party: text(
        f"""
        UPDATE voucher_use SET vouchers = vouchers - 1
        WHERE lot_id = :lot AND party = '{party}' AND party_id = :party_id
          AND NOT EXISTS ({_IN_USE.format(party=party)})
        """  # noqa: S608 - constant parts
    )
    for party in ("buyer", "shop")
}

_MARK_REDEEMED = text(
    """
    WITH moved AS (
      UPDATE allocation SET state = 'redeemed'
      WHERE lot_id = :lot AND seq = :seq AND state = :state RETURNING lot_id
    )
    UPDATE lot_tally t SET redeemed = t.redeemed + 1,
      sold = t.sold - CASE WHEN :state = 'sold' THEN 1 ELSE 0 END,
      opened = t.opened - CASE WHEN :state = 'opened' THEN 1 ELSE 0 END
    FROM moved WHERE t.lot_id = moved.lot_id
    """
)

_MARK_REDEEMABLE = text(
    """
    WITH back AS (
      SELECT CASE WHEN b.state_before = 'opened'
        OR EXISTS (SELECT 1 FROM unit_view v WHERE v.unit_id = :unit) THEN 'opened'
        ELSE 'sold' END AS state
      FROM unit_balance b WHERE b.lot_id = :lot AND b.seq = :seq
    ), moved AS (
      UPDATE allocation a SET state = back.state FROM back
      WHERE a.lot_id = :lot AND a.seq = :seq AND a.state = 'redeemed' RETURNING a.lot_id, a.state
    )
    UPDATE lot_tally t SET redeemed = t.redeemed - 1,
      sold = t.sold + CASE WHEN moved.state = 'sold' THEN 1 ELSE 0 END,
      opened = t.opened + CASE WHEN moved.state = 'opened' THEN 1 ELSE 0 END
    FROM moved WHERE t.lot_id = moved.lot_id
    """
)
