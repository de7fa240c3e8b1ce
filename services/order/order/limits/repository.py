"""Purchase limits in SQL: a constant number of statements, however many orders."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from sqlalchemy import text

from kit.db import Transaction
from order.limits.domain import WHOLE_ORDER, Key, Per, Subject, Use

# In the order of the numbers, so that two transactions never wait for each other.
_LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")
# A use counts until its order ends unpaid, or all lines of the product definitely fail. Lines of
# a bundle name it by its SKU. What a line got a substitute for was not bought, so it counts no more
# while the substitute stands; the substitute has a use of its own, by its line.
_USED = text(
    f"""
    SELECT w.product_id, w.per, w.subject, w.window_hours,
      sum(greatest(u.quantity - coalesce(lines.swapped, 0), 0)) AS used
    FROM unnest(CAST(:product_ids AS uuid[]), CAST(:pers AS text[]), CAST(:subjects AS text[]),
      CAST(:windows AS int[])) AS w(product_id, per, subject, window_hours)
    JOIN limit_use u ON u.product_id = w.product_id AND u.per = w.per AND u.subject = w.subject
      AND u.used_at > clock_timestamp() - make_interval(hours => w.window_hours)
    JOIN orders o ON o.id = u.order_id AND o.status NOT IN ('cancelled', 'expired')
    CROSS JOIN LATERAL (
      SELECT bool_or(l.status NOT IN ('failed', 'refunded') AND CASE
          WHEN u.line_id <> '{WHOLE_ORDER}' THEN l.id = u.line_id AND s.id = u.product_id
          ELSE (l.product_id = u.product_id AND s.id IS NULL) OR l.bundle_sku = u.sku
            OR s.id = u.product_id END) AS counts,
        sum(l.quantity) FILTER (WHERE u.line_id = '{WHOLE_ORDER}'
          AND l.product_id = u.product_id AND s.id <> u.product_id) AS swapped
      FROM order_line l
      CROSS JOIN LATERAL (SELECT CAST(l.instead ->> 'product_id' AS uuid) AS id) s
      WHERE l.order_id = u.order_id) lines
    WHERE lines.counts
    GROUP BY w.product_id, w.per, w.subject, w.window_hours
    """  # noqa: S608 - an id of the domain
)
_ADD = text(
    "INSERT INTO limit_use (merchant_id, order_id, line_id, product_id, sku, per, subject, "
    "quantity) SELECT * FROM unnest(CAST(:merchant_ids AS uuid[]), CAST(:order_ids AS uuid[]), "
    "CAST(:line_ids AS uuid[]), CAST(:product_ids AS uuid[]), CAST(:skus AS text[]), "
    "CAST(:pers AS text[]), CAST(:subjects AS text[]), CAST(:quantities AS int[])) "
    "ON CONFLICT (order_id, line_id, product_id, per) DO NOTHING"
)
_PRUNE = text(
    """
    DELETE FROM limit_use WHERE (order_id, line_id, product_id, per) IN (
      SELECT order_id, line_id, product_id, per FROM limit_use
      WHERE used_at < clock_timestamp() - make_interval(days => :days)
      ORDER BY used_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    """
)


async def lock(tx: Transaction, subjects: Iterable[Subject]) -> None:
    """Holds the subjects until the transaction ends: who comes next counts what this one wrote."""
    await tx.execute(_LOCK, {"keys": sorted({_number(subject) for subject in subjects})})


async def used(tx: Transaction, keys: Iterable[Key]) -> dict[Key, int]:
    """What counts now against each limit; those of which nothing is used are left out."""
    wanted = list(set(keys))
    values = {
        "product_ids": [subject[0] for subject, _ in wanted],
        "pers": [subject[1].value for subject, _ in wanted],
        "subjects": [subject[2] for subject, _ in wanted],
        "windows": [window for _, window in wanted],
    }
    return {
        ((row.product_id, Per(row.per), row.subject), row.window_hours): int(row.used)
        for row in await tx.execute(_USED, values)
    }


async def add(tx: Transaction, uses: Sequence[Use]) -> None:
    """Writes uses, a subject with several windows as one row; what an order, or one line of it, has
    taken already stays as it is.
    """
    rows = {(use.order_id, use.line_id, use.claim.subject[:2]): use for use in uses}
    claims = [use.claim for use in rows.values()]
    values = {
        "merchant_ids": [use.merchant_id for use in rows.values()],
        "order_ids": [use.order_id for use in rows.values()],
        "line_ids": [use.line_id for use in rows.values()],
        "product_ids": [claim.subject[0] for claim in claims],
        "skus": [claim.sku for claim in claims],
        "pers": [claim.subject[1].value for claim in claims],
        "subjects": [claim.subject[2] for claim in claims],
        "quantities": [claim.quantity for claim in claims],
    }
    await tx.execute(_ADD, values)


async def prune(tx: Transaction, *, days: int, limit: int) -> int:
    """Forgets uses that no window reaches any more; answers how many."""
    return (await tx.execute(_PRUNE, {"days": days, "limit": limit})).rowcount


def _number(subject: Subject) -> int:
    product_id, per, who = subject
    named = f"limit|{product_id}|{per}|{who}".encode()
    return int.from_bytes(blake2b(named, digest_size=8).digest(), "big", signed=True)
