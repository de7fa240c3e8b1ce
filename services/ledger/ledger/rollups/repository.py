from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.rollups.domain import TABLES

# The sequencer's own lock: nothing is chained until the rebuild ends. It counts the postings that
# are in the chain; the others follow when they get there.
_CHAIN_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('ledger_chain'), 0)")
# Writers of facts wait until the rebuild ends; readers see the old numbers.
_LOCK = text("""
    LOCK TABLE order_fact, unit_fact, buyer_order, buyer_fact IN SHARE ROW EXCLUSIVE MODE
""")
_PATIENT = text("SET LOCAL statement_timeout = '30min'")
_WAITING = text("SET LOCAL lock_timeout = '10min'")
# It reads whole tables: the plans that serve single rows are the wrong ones.
_READING = text("SET LOCAL enable_seqscan = on")
_REMEMBERING = text("SET LOCAL work_mem = '256MB'")
_PLANNING = text("SET LOCAL plan_cache_mode = force_custom_plan")
_MONTHS = text("""
    SELECT merchant.id AS merchant_id, month AT TIME ZONE 'UTC' AS since,
        (month + interval '1 month') AT TIME ZONE 'UTC' AS until
    FROM (SELECT DISTINCT merchant_id AS id FROM account) AS merchant
    CROSS JOIN LATERAL (
        SELECT min(at) AS first, max(at) AS last FROM posting WHERE merchant_id = merchant.id
    ) AS span
    CROSS JOIN LATERAL generate_series(date_trunc('month', span.first AT TIME ZONE 'UTC'),
        span.last AT TIME ZONE 'UTC', interval '1 month') AS month
    ORDER BY 1, 2
""")
_POSTINGS = text("""
    SELECT rollup_postings(CAST(:merchant_id AS uuid), CAST(:since AS timestamptz),
        CAST(:until AS timestamptz))
""")
_CHAINED = text("SELECT rollup_chained(:batch_no)")
_RETURNING = text("SELECT rollup_returning()")
_BUYER_ORDERS = text("""
    INSERT INTO buyer_order (order_id, merchant_id, buyer, paid_at, previous_at, first_at, currency,
        total_minor)
    SELECT order_id, merchant_id, buyer, paid_at, lag(paid_at) OVER of_buyer,
        first_value(paid_at) OVER of_buyer, coalesce(currency, ''), coalesce(total_minor, 0)
    FROM order_fact WHERE paid_at IS NOT NULL AND buyer <> ''
    WINDOW of_buyer AS (PARTITION BY merchant_id, buyer ORDER BY paid_at, order_id)
""")
_BUYERS = text("""
    INSERT INTO buyer_fact (merchant_id, buyer, channel_id, first_at, second_at)
    SELECT merchant_id, buyer, (array_agg(channel_id ORDER BY paid_at, order_id))[1], min(paid_at),
        (array_agg(paid_at ORDER BY paid_at, order_id))[2]
    FROM order_fact WHERE paid_at IS NOT NULL AND buyer <> ''
    GROUP BY merchant_id, buyer
""")


class RollupRepository:
    async def add_chained(self, tx: Transaction, batch_no: int) -> None:
        await tx.execute(_CHAINED, {"batch_no": batch_no})

    async def lock(self, tx: Transaction) -> None:
        """Nothing is rolled up by others until this transaction ends."""
        settings = (_PATIENT, _WAITING, _READING, _REMEMBERING, _PLANNING)
        for statement in (*settings, _CHAIN_LOCK, _LOCK):
            await tx.execute(statement)

    async def empty(self, tx: Transaction) -> None:
        for table in (*TABLES, "buyer_order", "buyer_fact"):
            await tx.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own tables

    async def list_months(self, tx: Transaction) -> list[tuple[UUID, datetime, datetime]]:
        """Of each merchant: the months that have postings between their ends."""
        return [(row.merchant_id, row.since, row.until) for row in await tx.execute(_MONTHS)]

    async def add_postings(
        self, tx: Transaction, merchant_id: UUID, since: datetime, until: datetime
    ) -> None:
        values = {"merchant_id": merchant_id, "since": since, "until": until}
        await tx.execute(_POSTINGS, values)

    async def add_buyers(self, tx: Transaction) -> None:
        """The triggers of `buyer_order` roll the cohorts up."""
        await tx.execute(_BUYER_ORDERS)
        await tx.execute(_BUYERS)
        await tx.execute(_RETURNING)

    async def list_cuts(self, tx: Transaction, table: str, every: int) -> list[UUID]:
        """Every n-th id of a fact table, and the last."""
        sql = f"""
            SELECT order_id FROM (
                SELECT order_id, row_number() OVER (ORDER BY order_id) AS number,
                    count(*) OVER () AS total
                FROM (SELECT DISTINCT order_id FROM {table}) AS id) AS numbered
            WHERE number % :every = 0 OR number = total ORDER BY order_id
        """  # noqa: S608 - our own tables
        return list((await tx.execute(text(sql), {"every": every})).scalars())

    async def add_facts(self, tx: Transaction, part: str, after: UUID, until: UUID) -> None:
        sql = f"SELECT rollup_{part}(CAST(:after AS uuid), CAST(:until AS uuid))"
        await tx.execute(text(sql), {"after": after, "until": until})
