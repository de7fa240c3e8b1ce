"""Coupons in SQL. What placing does takes any number of orders: three statements for all."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.exc import IntegrityError

from kit.db import Transaction, constraint_of
from order.coupons.domain import (
    MISS_WINDOW_SECONDS,
    Batch,
    CodeTaken,
    CouponClaim,
    Limit,
    LimitBelowUse,
    LimitUse,
    Shown,
)

PRUNE_MAX = 100
_PUT_LIMIT = text(
    "INSERT INTO price_limit (rule_id, merchant_id, uses_max, uses_per_buyer_max, budget_minor) "
    "VALUES (:rule_id, :merchant_id, :uses_max, :uses_per_buyer_max, :budget) "
    "ON CONFLICT (rule_id) DO UPDATE SET uses_max = excluded.uses_max, "
    "uses_per_buyer_max = excluded.uses_per_buyer_max, budget_minor = excluded.budget_minor"
)
_PUT_BUDGET = text(
    "INSERT INTO price_limit (rule_id, merchant_id, budget_minor) "
    "VALUES (:rule_id, :merchant_id, :budget) "
    "ON CONFLICT (rule_id) DO UPDATE SET budget_minor = excluded.budget_minor"
)
_LIFT_BUDGET = text(
    "UPDATE price_limit SET budget_minor = NULL "
    "WHERE rule_id = :rule_id AND merchant_id = :merchant_id"
)
_FIND_LIMITS = text("SELECT * FROM price_limit WHERE rule_id = ANY(CAST(:ids AS uuid[]))")
# In the order of their ids: orders with several coupons never wait for each other in a circle.
_LOCK_LIMITS = text(
    "SELECT * FROM price_limit WHERE rule_id = ANY(CAST(:ids AS uuid[])) ORDER BY rule_id "
    "FOR UPDATE"
)
_ADD_CODES = text(
    "INSERT INTO coupon_code (code_hash, merchant_id, rule_id, batch_id) "
    "SELECT code_hash, :merchant_id, :rule_id, CAST(:batch_id AS uuid) "
    "FROM unnest(CAST(:hashes AS bytea[])) AS c(code_hash)"
)
_ADD_BATCH = text(
    "INSERT INTO coupon_batch (id, merchant_id, rule_id, quantity, prefix) "
    "VALUES (:id, :merchant_id, :rule_id, :quantity, :prefix) RETURNING *"
)
_FIND_BATCH = text(
    "SELECT * FROM coupon_batch WHERE id = :id AND merchant_id = :merchant_id "
    "AND rule_id = :rule_id"
)
_LIST_BATCHES = text(
    "SELECT * FROM coupon_batch WHERE merchant_id = :merchant_id AND rule_id = :rule_id "
    "AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) ORDER BY id LIMIT :limit"
)
_FIND_CODES = text(
    "SELECT code_hash, rule_id, batch_id IS NOT NULL AS is_single_use, "
    "used_by IS NOT NULL AS is_spent FROM coupon_code "
    "WHERE code_hash = ANY(CAST(:hashes AS bytea[]))"
)
# Under the lock of the limits, which every order that uses or gives back a coupon holds. Uses are
# counted only where the rule limits them per buyer: of others a reseller may have any number.
_BUYER_USES = text(
    """
    SELECT w.place, (
        SELECT count(*) FROM (
          SELECT u.order_id FROM price_use u WHERE u.rule_id = l.rule_id
            AND u.customer_id = w.customer_id AND u.returned_at IS NULL
          UNION
          SELECT u.order_id FROM price_use u WHERE u.rule_id = l.rule_id
            AND u.contact_hash = w.contact_hash AND u.returned_at IS NULL
        ) AS used
      ) AS uses,
      EXISTS (SELECT FROM coupon_code c WHERE c.code_hash = w.code_hash AND c.used_by IS NOT NULL)
        AS is_spent
    FROM unnest(CAST(:places AS int[]), CAST(:rule_ids AS uuid[]), CAST(:customers AS text[]),
      CAST(:contacts AS text[]), CAST(:hashes AS bytea[]))
      AS w(place, rule_id, customer_id, contact_hash, code_hash)
    LEFT JOIN price_limit l ON l.rule_id = w.rule_id AND l.uses_per_buyer_max IS NOT NULL
    """
)
_USE = text(
    """
    WITH wanted AS (
      SELECT * FROM jsonb_to_recordset(CAST(:uses AS jsonb)) AS u(
        order_id uuid, rule_id uuid, merchant_id uuid, customer_id text, contact_hash text,
        code_hash text, discount_minor bigint, returns_on_refund boolean)
    ), used AS (
      INSERT INTO price_use (order_id, rule_id, merchant_id, customer_id, contact_hash, code_hash,
        discount_minor, returns_on_refund)
      SELECT order_id, rule_id, merchant_id, customer_id, contact_hash, decode(code_hash, 'hex'),
        discount_minor, returns_on_refund FROM wanted
    ), codes AS (
      UPDATE coupon_code c SET used_by = w.order_id FROM wanted w
      WHERE c.code_hash = decode(w.code_hash, 'hex') AND c.batch_id IS NOT NULL
    )
    UPDATE price_limit l SET uses = l.uses + s.uses, spent_minor = l.spent_minor + s.spent
    FROM (SELECT rule_id, count(*) AS uses, sum(discount_minor) AS spent FROM wanted
      GROUP BY rule_id) AS s WHERE l.rule_id = s.rule_id
    """
)
_USED_BY = text(
    "SELECT DISTINCT rule_id FROM price_use WHERE order_id = ANY(CAST(:order_ids AS uuid[])) "
    "AND returned_at IS NULL"
)
_GIVE_BACK = text(
    """
    WITH back AS (
      UPDATE price_use SET returned_at = clock_timestamp()
      WHERE returned_at IS NULL AND (order_id = ANY(CAST(:unpaid AS uuid[]))
        OR (order_id = ANY(CAST(:refunded AS uuid[])) AND returns_on_refund))
      RETURNING order_id, rule_id, code_hash, discount_minor
    ), codes AS (
      UPDATE coupon_code c SET used_by = NULL FROM back b
      WHERE c.code_hash = b.code_hash AND c.used_by = b.order_id
    )
    UPDATE price_limit l SET uses = l.uses - s.uses, spent_minor = l.spent_minor - s.spent
    FROM (SELECT rule_id, count(*) AS uses, sum(discount_minor) AS spent FROM back
      GROUP BY rule_id) AS s WHERE l.rule_id = s.rule_id
    """
)
_RETURNED = text(
    "SELECT order_id, rule_id, merchant_id, customer_id, contact_hash, code_hash, discount_minor, "
    "returns_on_refund FROM price_use WHERE order_id = ANY(CAST(:order_ids AS uuid[])) "
    "AND returned_at IS NOT NULL ORDER BY order_id, rule_id"
)
_USE_AGAIN = text(
    """
    WITH again AS (
      UPDATE price_use SET returned_at = NULL
      WHERE returned_at IS NOT NULL AND order_id = ANY(CAST(:order_ids AS uuid[]))
      RETURNING order_id, rule_id, code_hash, discount_minor
    ), codes AS (
      UPDATE coupon_code c SET used_by = a.order_id FROM again a
      WHERE c.code_hash = a.code_hash AND c.batch_id IS NOT NULL
    )
    UPDATE price_limit l SET uses = l.uses + s.uses, spent_minor = l.spent_minor + s.spent
    FROM (SELECT rule_id, count(*) AS uses, sum(discount_minor) AS spent FROM again
      GROUP BY rule_id) AS s WHERE l.rule_id = s.rule_id
    """
)
_MISSES = text(
    "SELECT w.place, max(m.misses) AS misses FROM unnest(CAST(:places AS int[]), "
    "CAST(:merchant_ids AS uuid[]), CAST(:sources AS text[])) AS w(place, merchant_id, source) "
    "JOIN coupon_miss m ON m.merchant_id = w.merchant_id AND m.source = w.source "
    "AND m.since > clock_timestamp() - make_interval(secs => :window_seconds) GROUP BY w.place"
)
_MISSED = text(
    """
    INSERT INTO coupon_miss AS m (merchant_id, source, since, misses)
    SELECT merchant_id, source, clock_timestamp(), misses
    FROM unnest(CAST(:merchant_ids AS uuid[]), CAST(:sources AS text[]), CAST(:misses AS int[]))
      AS s(merchant_id, source, misses) ORDER BY merchant_id, source
    ON CONFLICT (merchant_id, source) DO UPDATE SET
      misses = CASE WHEN m.since > clock_timestamp() - make_interval(secs => :window_seconds)
        THEN m.misses ELSE 0 END + excluded.misses,
      since = CASE WHEN m.since > clock_timestamp() - make_interval(secs => :window_seconds)
        THEN m.since ELSE excluded.since END
    """
)
_FORGET_MISSES = text(
    "DELETE FROM coupon_miss WHERE (merchant_id, source) IN (SELECT merchant_id, source "
    "FROM coupon_miss WHERE since < clock_timestamp() - make_interval(secs => :window_seconds) "
    "ORDER BY since LIMIT :limit FOR UPDATE SKIP LOCKED)"
)


async def put_limit(
    tx: Transaction,
    rule_id: UUID,
    merchant_id: UUID,
    *,
    uses_max: int | None,
    uses_per_buyer_max: int | None,
    budget: int | None,
) -> None:
    """Raises LimitBelowUse."""
    values = {
        "rule_id": rule_id,
        "merchant_id": merchant_id,
        "uses_max": uses_max,
        "uses_per_buyer_max": uses_per_buyer_max,
        "budget": budget,
    }
    await _put(tx, _PUT_LIMIT, values)


async def put_budget(tx: Transaction, rule_id: UUID, merchant_id: UUID, budget: int | None) -> None:
    """Of a promotion, which has no other limits. Raises LimitBelowUse."""
    values = {"rule_id": rule_id, "merchant_id": merchant_id, "budget": budget}
    await _put(tx, _LIFT_BUDGET if budget is None else _PUT_BUDGET, values)


async def _put(tx: Transaction, statement: TextClause, values: Mapping[str, Any]) -> None:
    try:
        await tx.execute(statement, values)
    except IntegrityError as error:
        if constraint_of(error) in ("ck_price_limit_uses", "ck_price_limit_budget"):
            raise LimitBelowUse(rule_id=str(values["rule_id"])) from error
        raise


async def find_limits(tx: Transaction, rule_ids: Iterable[UUID]) -> dict[UUID, Limit]:
    rows = await tx.execute(_FIND_LIMITS, {"ids": list(rule_ids)})
    return {row.rule_id: _limit(row) for row in rows}


async def lock_limits(tx: Transaction, rule_ids: Iterable[UUID]) -> dict[UUID, Limit]:
    """Held until the transaction ends, in the order of their ids."""
    rows = await tx.execute(_LOCK_LIMITS, {"ids": list(rule_ids)})
    return {row.rule_id: _limit(row) for row in rows}


async def add_codes(
    tx: Transaction,
    merchant_id: UUID,
    rule_id: UUID,
    hashes: Sequence[bytes],
    batch_id: UUID | None = None,
) -> None:
    """Raises CodeTaken."""
    values = {
        "merchant_id": merchant_id,
        "rule_id": rule_id,
        "batch_id": batch_id,
        "hashes": list(hashes),
    }
    try:
        await tx.execute(_ADD_CODES, values)
    except IntegrityError as error:
        if constraint_of(error) == "pk_coupon_code":
            raise CodeTaken from error
        raise


async def add_batch(tx: Transaction, batch: Batch) -> Batch:
    values = {
        "id": batch.id,
        "merchant_id": batch.merchant_id,
        "rule_id": batch.rule_id,
        "quantity": batch.quantity,
        "prefix": batch.prefix,
    }
    return _batch((await tx.execute(_ADD_BATCH, values)).one())


async def find_batch(
    tx: Transaction, merchant_id: UUID, rule_id: UUID, batch_id: UUID
) -> Batch | None:
    values = {"id": batch_id, "merchant_id": merchant_id, "rule_id": rule_id}
    row = (await tx.execute(_FIND_BATCH, values)).one_or_none()
    return _batch(row) if row else None


async def list_batches(
    tx: Transaction, merchant_id: UUID, rule_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Batch]:
    values = {"merchant_id": merchant_id, "rule_id": rule_id, "after": after, "limit": limit}
    return [_batch(row) for row in await tx.execute(_LIST_BATCHES, values)]


async def find_codes(tx: Transaction, hashes: Iterable[bytes]) -> dict[bytes, Shown]:
    rows = await tx.execute(_FIND_CODES, {"hashes": list(hashes)})
    return {
        bytes(row.code_hash): Shown(
            bytes(row.code_hash), row.rule_id, row.is_single_use, row.is_spent
        )
        for row in rows
    }


async def buyer_uses(
    tx: Transaction, claims: Sequence[CouponClaim]
) -> list[list[tuple[int, bool]]]:
    """Per claim and redemption: how often this buyer used the rule (0 where that is not limited),
    whether the code is spent.
    """
    flat = [
        (place, claim, redemption)
        for place, (claim, redemption) in enumerate(
            (claim, redemption) for claim in claims for redemption in claim.redemptions
        )
    ]
    values = {
        "places": [place for place, _, _ in flat],
        "rule_ids": [redemption.rule_id for _, _, redemption in flat],
        "customers": [claim.customer_id for _, claim, _ in flat],
        "contacts": [claim.contact_hash for _, claim, _ in flat],
        "hashes": [redemption.code_hash for _, _, redemption in flat],
    }
    found = {row.place: (row.uses, row.is_spent) for row in await tx.execute(_BUYER_USES, values)}
    answers = iter(found[place] for place, _, _ in flat)
    return [[next(answers) for _ in claim.redemptions] for claim in claims]


async def use(tx: Transaction, claims: Sequence[CouponClaim]) -> None:
    """Writes the uses and counts them, in one statement; the limits are locked."""
    uses = [
        {
            "order_id": claim.order_id,
            "rule_id": it.rule_id,
            "merchant_id": claim.merchant_id,
            "customer_id": claim.customer_id,
            "contact_hash": claim.contact_hash,
            "code_hash": it.code_hash.hex() if it.code_hash else None,
            "discount_minor": it.discount,
            "returns_on_refund": it.returns_on_refund,
        }
        for claim in claims
        for it in claim.redemptions
    ]
    # The driver's UUIDs are a subclass, which orjson leaves to `default`.
    await tx.execute(_USE, {"uses": orjson.dumps(uses, default=str).decode()})


async def rules_used_by(tx: Transaction, order_ids: Iterable[UUID]) -> Sequence[UUID]:
    """The rules of which these orders hold uses."""
    return list((await tx.execute(_USED_BY, {"order_ids": list(order_ids)})).scalars())


async def give_back(tx: Transaction, *, unpaid: Sequence[UUID], refunded: Sequence[UUID]) -> None:
    """Frees the uses of orders that ended; the limits are locked."""
    await tx.execute(_GIVE_BACK, {"unpaid": list(unpaid), "refunded": list(refunded)})


async def find_returned(tx: Transaction, order_ids: Iterable[UUID]) -> list[CouponClaim]:
    """What these orders used and gave back."""
    rows = (await tx.execute(_RETURNED, {"order_ids": list(order_ids)})).all()
    return [
        CouponClaim(
            order_id,
            own[0].merchant_id,
            own[0].customer_id,
            own[0].contact_hash,
            tuple(_redemption(row) for row in own),
        )
        for order_id, group in groupby(rows, key=lambda row: row.order_id)
        if (own := list(group))
    ]


async def use_again(tx: Transaction, order_ids: Sequence[UUID]) -> None:
    """What these orders gave back counts again; the limits are locked."""
    await tx.execute(_USE_AGAIN, {"order_ids": list(order_ids)})


async def count_misses(tx: Transaction, asks: Sequence[tuple[UUID, Sequence[str]]]) -> list[int]:
    """Per (merchant, sources) the most misses that any of the sources has in its window."""
    flat = [
        (place, merchant_id, source)
        for place, (merchant_id, sources) in enumerate(asks)
        for source in sources
    ]
    values = {
        "places": [place for place, _, _ in flat],
        "merchant_ids": [merchant_id for _, merchant_id, _ in flat],
        "sources": [source for _, _, source in flat],
        "window_seconds": MISS_WINDOW_SECONDS,
    }
    found = {row.place: row.misses for row in await tx.execute(_MISSES, values)}
    return [found.get(place, 0) for place in range(len(asks))]


async def add_misses(tx: Transaction, misses: Mapping[tuple[UUID, str], int]) -> None:
    values: Mapping[str, Any] = {
        "merchant_ids": [merchant_id for merchant_id, _ in misses],
        "sources": [source for _, source in misses],
        "misses": list(misses.values()),
        "window_seconds": MISS_WINDOW_SECONDS,
    }
    await tx.execute(_MISSED, values)
    await tx.execute(_FORGET_MISSES, {"window_seconds": MISS_WINDOW_SECONDS, "limit": PRUNE_MAX})


def _limit(row: Any) -> Limit:  # a row has no static type
    return Limit(
        row.rule_id,
        row.uses,
        row.spent_minor,
        row.uses_max,
        row.uses_per_buyer_max,
        row.budget_minor,
    )


def _redemption(row: Any) -> LimitUse:  # a row has no static type
    code_hash = bytes(row.code_hash) if row.code_hash else None
    return LimitUse(row.rule_id, row.discount_minor, row.returns_on_refund, code_hash)


def _batch(row: Any) -> Batch:  # a row has no static type
    return Batch(row.id, row.merchant_id, row.rule_id, row.quantity, row.prefix, row.created_at)
