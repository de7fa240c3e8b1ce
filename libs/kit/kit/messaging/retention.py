"""Old events leave in bounded batches. What dedupes must outlive what may still be delivered."""

from sqlalchemy import text

from kit.db import Database

EVENT_LOG_DAYS = 30
INBOX_DAYS = 35
"""Longer than event log, topics (30 days) and dead letters can bring an event back."""
ROWS_PER_BATCH_MAX = 2_000


async def prune(
    db: Database,
    *,
    event_log_days: int = EVENT_LOG_DAYS,
    inbox_days: int = INBOX_DAYS,
    rows_max: int = ROWS_PER_BATCH_MAX,
) -> bool:
    """Deletes one batch of each table; True when more may wait.

    Events the broker has not confirmed and letters still open stay, however old.
    """
    async with db.transaction() as tx:
        limits = {"days": event_log_days, "rows": rows_max}
        log = (await tx.execute(_PRUNE_LOG, limits)).scalar_one()
        limits = {"days": inbox_days, "rows": rows_max}
        inbox = (await tx.execute(_PRUNE_INBOX, limits)).scalar_one()
        letters = (await tx.execute(_PRUNE_LETTERS, limits)).scalar_one()
    return bool(max(log, inbox, letters) == rows_max)


# Only the oldest rows by primary key are looked at: no index on time, and no scan when none is due.
# Event ids are UUIDv7, so the inbox's key order is time order per consumer.
_PRUNE_LOG = text(
    """
    WITH oldest AS (
      SELECT e.id, e.at FROM event_log e
      WHERE NOT EXISTS (SELECT FROM outbox_pending p WHERE p.id = e.id)
        AND NOT EXISTS (SELECT FROM outbox_dead d WHERE d.id = e.id)
      ORDER BY e.id LIMIT :rows
    ), gone AS (
      DELETE FROM event_log e USING oldest o
      WHERE e.id = o.id AND o.at < clock_timestamp() - make_interval(days => :days)
      RETURNING e.id
    )
    SELECT count(*) FROM gone
    """
)
_PRUNE_INBOX = text(
    """
    WITH RECURSIVE consumers AS (
      SELECT min(consumer) AS consumer FROM inbox
      UNION ALL
      SELECT (SELECT min(i.consumer) FROM inbox i WHERE i.consumer > c.consumer)
      FROM consumers c WHERE c.consumer IS NOT NULL
    ), oldest AS (
      SELECT i.consumer, i.event_id, i.at FROM consumers c
      CROSS JOIN LATERAL (
        SELECT * FROM inbox i WHERE i.consumer = c.consumer ORDER BY i.event_id LIMIT :rows
      ) i
    ), gone AS (
      DELETE FROM inbox i USING oldest o
      WHERE i.consumer = o.consumer AND i.event_id = o.event_id
        AND o.at < clock_timestamp() - make_interval(days => :days)
      RETURNING i.event_id
    )
    SELECT count(*) FROM gone
    """
)
_PRUNE_LETTERS = text(
    """
    WITH old AS (
      SELECT consumer, event_id FROM dead_letter
      WHERE resolved_at < clock_timestamp() - make_interval(days => :days) LIMIT :rows
    ), gone AS (
      DELETE FROM dead_letter d USING old o
      WHERE d.consumer = o.consumer AND d.event_id = o.event_id RETURNING d.event_id
    )
    SELECT count(*) FROM gone
    """
)
