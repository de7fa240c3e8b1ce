"""Events go to the broker once more: those it had refused, or those it has lost."""

from datetime import datetime

from sqlalchemy import text

from kit.db import Database

REPUBLISH_ROWS_MAX = 5_000


async def revive_outbox(db: Database) -> int:
    """Queues again what the broker had refused, in order, and opens the keys; returns how many."""
    async with db.transaction() as tx:
        # Locks the keys: writers that saw them parked have committed once this returns.
        await tx.execute(_UNPARK_OUTBOX_KEYS)
        return int((await tx.execute(_REQUEUE)).scalar_one())


async def republish(db: Database, since: datetime) -> int:
    """Queues every event published since then once more; returns how many.

    For a broker that lost what it had confirmed. Consumers know the ones they had; the order per
    key is kept, because rows queue by their first place.
    """
    after, total = 0, 0
    while True:
        async with db.transaction() as tx:
            row = (
                await tx.execute(
                    _REPUBLISH, {"since": since, "after": after, "limit": REPUBLISH_ROWS_MAX}
                )
            ).one()
        if row.last is None:
            return total
        after, total = row.last, total + row.queued


_UNPARK_OUTBOX_KEYS = text("UPDATE outbox_key SET parked = false WHERE parked")
_REQUEUE = text(
    """
    WITH back AS (DELETE FROM outbox_dead RETURNING id),
    queued AS (INSERT INTO outbox_pending (id) SELECT id FROM back RETURNING id)
    SELECT count(*) FROM queued
    """
)
_REPUBLISH = text(
    """
    WITH chosen AS (
      SELECT id FROM event_log e WHERE e.id > :after AND e.at >= :since
      ORDER BY e.id LIMIT :limit
    ), queued AS (
      INSERT INTO outbox_pending (id)
      SELECT c.id FROM chosen c WHERE NOT EXISTS (SELECT FROM outbox_dead d WHERE d.id = c.id)
      ON CONFLICT (id) DO NOTHING RETURNING id
    )
    SELECT (SELECT max(id) FROM chosen) AS last, (SELECT count(*) FROM queued) AS queued
    """
)
