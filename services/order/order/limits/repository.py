"""Purchase limits in SQL: a constant number of statements, however many orders."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from order.limits.domain import Claim, Key, Per, Subject

# In the order of the numbers, so that two transactions never wait for each other.
_LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")
# A use counts until its order ends unpaid, or all lines of the product definitely fail. Lines of
# a bundle name it by its SKU, a line that was short its substitute by what is delivered instead.
_USED = text(
    """
    SELECT w.product_id, w.per, w.subject, w.window_hours, sum(u.quantity) AS used
    FROM unnest(CAST(:product_ids AS uuid[]), CAST(:pers AS text[]), CAST(:subjects AS text[]),
      CAST(:windows AS int[])) AS w(product_id, per, subject, window_hours)
    JOIN limit_use u ON u.product_id = w.product_id AND u.per = w.per AND u.subject = w.subject
      AND u.used_at > clock_timestamp() - make_interval(hours => w.window_hours)
    JOIN orders o ON o.id = u.order_id AND o.status NOT IN ('cancelled', 'expired')
    WHERE EXISTS (
      SELECT FROM order_line l WHERE l.order_id = u.order_id
        AND (l.product_id = u.product_id OR l.bundle_sku = u.sku
          OR l.instead ->> 'product_id' = CAST(u.product_id AS text))
        AND l.status NOT IN ('failed', 'refunded'))
    GROUP BY w.product_id, w.per, w.subject, w.window_hours
    """
)
_ADD = text(
    "INSERT INTO limit_use (merchant_id, order_id, product_id, sku, per, subject, quantity) "
    "SELECT * FROM unnest(CAST(:merchant_ids AS uuid[]), CAST(:order_ids AS uuid[]), "
    "CAST(:product_ids AS uuid[]), CAST(:skus AS text[]), CAST(:pers AS text[]), "
    "CAST(:subjects AS text[]), CAST(:quantities AS int[])) "
    "ON CONFLICT (order_id, product_id, per) DO NOTHING"
)
_PRUNE = text(
    "DELETE FROM limit_use WHERE (order_id, product_id, per) IN (SELECT order_id, product_id, per "
    "FROM limit_use WHERE used_at < clock_timestamp() - make_interval(days => :days) "
    "ORDER BY used_at LIMIT :limit FOR UPDATE SKIP LOCKED)"
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


async def add(tx: Transaction, uses: Sequence[tuple[UUID, UUID, Claim]]) -> None:
    """Writes what orders (merchant, order) take, a subject with several windows as one row; what an
    order has taken already stays as it is.
    """
    rows = {
        (order_id, claim.subject[:2]): (merchant_id, order_id, claim)
        for merchant_id, order_id, claim in uses
    }
    values = {
        "merchant_ids": [merchant_id for merchant_id, _, _ in rows.values()],
        "order_ids": [order_id for _, order_id, _ in rows.values()],
        "product_ids": [claim.subject[0] for _, _, claim in rows.values()],
        "skus": [claim.sku for _, _, claim in rows.values()],
        "pers": [claim.subject[1].value for _, _, claim in rows.values()],
        "subjects": [claim.subject[2] for _, _, claim in rows.values()],
        "quantities": [claim.quantity for _, _, claim in rows.values()],
    }
    await tx.execute(_ADD, values)


async def prune(tx: Transaction, *, days: int, limit: int) -> int:
    """Forgets uses that no window reaches any more; answers how many."""
    return (await tx.execute(_PRUNE, {"days": days, "limit": limit})).rowcount


def _number(subject: Subject) -> int:
    product_id, per, who = subject
    named = f"limit|{product_id}|{per}|{who}".encode()
    return int.from_bytes(blake2b(named, digest_size=8).digest(), "big", signed=True)
