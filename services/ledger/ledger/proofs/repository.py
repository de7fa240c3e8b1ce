"""Digests are made by the database, for whole batches at once: SHA-256 over JSON arrays of all that
a posting and a transaction say. Times are whole microseconds, so no session's settings matter.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.proofs.domain import NO_DIGEST, ChainBatch, Finding, FindingKind

# One sequencer at a time, whoever it is; others come back later.
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('ledger_chain'), 0) AS is_ours")
_LINE_DIGEST = """
    sha256(convert_to(jsonb_build_array(posting.transaction_id, posting.line_no,
        posting.merchant_id, posting.account_id, posting.currency, posting.amount_minor,
        (extract(epoch FROM posting.at) * 1000000)::bigint, posting.quantity, posting.channel_id,
        posting.product_id, posting.sku, posting.lot_id, posting.order_id, posting.line_id,
        posting.supplier, posting.buyer, posting.buyer_group)::text, 'UTF8'))
"""
_DIGEST = """
    sha256(convert_to(jsonb_build_array(transaction.id, transaction.merchant_id,
        transaction.source, (extract(epoch FROM transaction.at) * 1000000)::bigint,
        (extract(epoch FROM transaction.occurred_at) * 1000000)::bigint, transaction.description,
        transaction.reverses)::text, 'UTF8') || lines.line_digests)
"""
# Those that are taken are an array, found by their key: joined, each of them was looked for among
# all that wait, where statistics told that nobody did.
# The sums of the days are written in the same statement: what is in the chain is in them. OFFSET 0
# keeps the planner, which takes a limit it does not know for a tenth of what waits, from reading
# all postings for each batch.
_CHAIN = text(f"""
    WITH taken AS (
        DELETE FROM unchained WHERE transaction_id = ANY(ARRAY(
            SELECT transaction_id FROM unchained ORDER BY transaction_id LIMIT :limit))
        RETURNING transaction_id
    ), lines AS MATERIALIZED (
        SELECT taken.transaction_id, of_one.line_digests
        FROM taken CROSS JOIN LATERAL (
            SELECT string_agg({_LINE_DIGEST}, ''::bytea ORDER BY posting.line_no) AS line_digests
            FROM posting WHERE posting.transaction_id = taken.transaction_id) AS of_one
        WHERE of_one.line_digests IS NOT NULL
    ), leaves AS MATERIALIZED (
        SELECT transaction.id, lines.line_digests, {_DIGEST} AS digest,
            row_number() OVER (ORDER BY transaction.id) AS position
        FROM lines CROSS JOIN LATERAL (
            SELECT * FROM transaction WHERE id = lines.transaction_id OFFSET 0) AS transaction
    ), head AS (
        SELECT batch_no, digest, transactions_total FROM chain_batch
        ORDER BY batch_no DESC LIMIT 1
    ), batch AS (
        INSERT INTO chain_batch (batch_no, previous, digest, transactions_total)
        SELECT coalesce(head.batch_no, 0) + 1, coalesce(head.digest, :no_digest),
            sha256(coalesce(head.digest, :no_digest)
                || (SELECT string_agg(digest, ''::bytea ORDER BY position) FROM leaves)),
            coalesce(head.transactions_total, 0) + (SELECT count(*) FROM leaves)
        FROM (SELECT 1) AS always LEFT JOIN head ON true
        WHERE EXISTS (SELECT 1 FROM leaves)
        RETURNING *
    ), days AS (
        INSERT INTO account_day AS past (account_id, day, debit_minor, credit_minor)
        SELECT posting.account_id, (posting.at AT TIME ZONE 'UTC')::date,
            sum(greatest(amount_minor, 0)), sum(greatest(-amount_minor, 0))
        FROM taken CROSS JOIN LATERAL (
            SELECT * FROM posting WHERE transaction_id = taken.transaction_id OFFSET 0) AS posting
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (account_id, day) DO UPDATE SET
            debit_minor = past.debit_minor + excluded.debit_minor,
            credit_minor = past.credit_minor + excluded.credit_minor
    ), chained AS (
        INSERT INTO chained_transaction
            (transaction_id, batch_no, position, digest, line_digests)
        SELECT leaves.id, batch.batch_no, leaves.position, leaves.digest, leaves.line_digests
        FROM leaves, batch
    )
    SELECT batch.*, (SELECT count(*) FROM leaves) AS transactions FROM batch
""")  # noqa: S608 - made of constants above
_HEAD = text("SELECT * FROM chain_batch ORDER BY batch_no DESC LIMIT 1")
_BATCH = text("SELECT * FROM chain_batch WHERE batch_no = :batch_no")
_WAITING = text("""
    SELECT count(*) FROM unchained WHERE CAST(:merchant AS uuid) IS NULL OR EXISTS (
        SELECT 1 FROM transaction
        WHERE transaction.id = unchained.transaction_id AND transaction.merchant_id = :merchant)
""")
_RANGE = text("""
    SELECT max(batch_no) AS last, count(*) AS batches FROM (
        SELECT batch_no FROM chain_batch WHERE batch_no >= :first ORDER BY batch_no LIMIT :limit
    ) AS batches
""")
_COUNT = text("""
    SELECT count(*) FROM chained_transaction AS chained
    JOIN transaction ON transaction.id = chained.transaction_id
    WHERE batch_no BETWEEN :first AND :last
        AND (CAST(:merchant AS uuid) IS NULL OR transaction.merchant_id = :merchant)
""")
# What each batch should follow, and the digest its own transactions make.
_BATCH_FINDINGS = text("""
    SELECT batch.batch_no FROM chain_batch AS batch
    LEFT JOIN chain_batch AS before ON before.batch_no = batch.batch_no - 1
    LEFT JOIN LATERAL (
        SELECT string_agg(digest, ''::bytea ORDER BY position) AS digests, count(*) AS transactions
        FROM chained_transaction AS chained WHERE chained.batch_no = batch.batch_no
    ) AS of_batch ON true
    WHERE batch.batch_no BETWEEN :first AND :last AND (
        batch.previous <> CASE WHEN batch.batch_no = 1 THEN :no_digest ELSE before.digest END
        OR (batch.batch_no > 1 AND before.batch_no IS NULL)
        OR batch.digest IS DISTINCT FROM sha256(batch.previous || of_batch.digests)
        OR batch.transactions_total
            <> coalesce(before.transactions_total, 0) + of_batch.transactions)
    ORDER BY batch.batch_no
""")
_TRANSACTION_FINDINGS = text(f"""
    WITH kept AS MATERIALIZED (
        SELECT * FROM chained_transaction WHERE batch_no BETWEEN :first AND :last
    ), now AS MATERIALIZED (
        SELECT posting.transaction_id, posting.line_no, posting.merchant_id,
            {_LINE_DIGEST} AS digest
        FROM posting JOIN kept USING (transaction_id)
    ), lines AS (
        SELECT kept.transaction_id,
            coalesce(string_agg(now.digest, ''::bytea ORDER BY now.line_no), ''::bytea)
                AS line_digests
        FROM kept LEFT JOIN now USING (transaction_id) GROUP BY kept.transaction_id
    ), states AS MATERIALIZED (
        SELECT kept.*, transaction.id IS NULL AS is_missing,
            coalesce(transaction.merchant_id,
                (SELECT merchant_id FROM now WHERE now.transaction_id = kept.transaction_id LIMIT 1)
            ) AS merchant_id,
            lines.line_digests <> kept.line_digests AS has_other_lines,
            sha256(convert_to(jsonb_build_array(transaction.id, transaction.merchant_id,
                transaction.source, (extract(epoch FROM transaction.at) * 1000000)::bigint,
                (extract(epoch FROM transaction.occurred_at) * 1000000)::bigint,
                transaction.description, transaction.reverses)::text, 'UTF8')
                || kept.line_digests) <> kept.digest AS has_other_head
        FROM kept JOIN lines USING (transaction_id)
        LEFT JOIN transaction ON transaction.id = kept.transaction_id
    ), odd AS (
        SELECT * FROM states WHERE is_missing OR has_other_lines OR has_other_head
    ), found AS (
        SELECT merchant_id, batch_no, transaction_id, NULL::int AS line_no,
            CASE WHEN is_missing THEN 'transaction_missing' ELSE 'transaction_changed' END AS kind
        FROM odd WHERE is_missing OR has_other_head
        UNION ALL
        SELECT odd.merchant_id, odd.batch_no, odd.transaction_id, slot.place,
            CASE WHEN now.digest IS NULL THEN 'posting_missing'
                WHEN was.place IS NULL THEN 'posting_added' ELSE 'posting_changed' END
        FROM odd CROSS JOIN LATERAL generate_series(1, greatest(
                octet_length(odd.line_digests) / 32,
                (SELECT max(line_no) FROM now WHERE now.transaction_id = odd.transaction_id)::int
            )) AS slot(place)
        LEFT JOIN now ON now.transaction_id = odd.transaction_id AND now.line_no = slot.place
        LEFT JOIN LATERAL (
            SELECT slot.place, substring(odd.line_digests FROM slot.place * 32 - 31 FOR 32)
                AS digest
            WHERE slot.place * 32 <= octet_length(odd.line_digests)
        ) AS was ON true
        WHERE odd.has_other_lines AND now.digest IS DISTINCT FROM was.digest
    )
    SELECT * FROM found
    WHERE CAST(:merchant AS uuid) IS NULL OR merchant_id IS NULL OR merchant_id = :merchant
    ORDER BY batch_no, transaction_id, line_no NULLS FIRST LIMIT :findings_max
""")  # noqa: S608 - made of constants above
_UNCHAINED = text("""
    SELECT transaction.id FROM transaction
    LEFT JOIN chained_transaction AS chained ON chained.transaction_id = transaction.id
    LEFT JOIN unchained ON unchained.transaction_id = transaction.id
    WHERE chained.transaction_id IS NULL AND unchained.transaction_id IS NULL
        AND (CAST(:merchant AS uuid) IS NULL OR transaction.merchant_id = :merchant)
    ORDER BY transaction.id LIMIT :findings_max
""")

_MERCHANTS = text("""
    SELECT DISTINCT transaction.merchant_id FROM chained_transaction AS chained
    JOIN transaction ON transaction.id = chained.transaction_id
    WHERE chained.batch_no = :batch_no
""")


class ChainRepository:
    async def try_lock(self, tx: Transaction) -> bool:
        """False while another sequencer works."""
        return bool((await tx.execute(_TRY_LOCK)).scalar_one())

    async def chain(self, tx: Transaction, limit: int) -> tuple[ChainBatch, int] | None:
        """Gives the next transactions their place; the batch and how many. None when none wait."""
        row = (await tx.execute(_CHAIN, {"limit": limit, "no_digest": NO_DIGEST})).one_or_none()
        return None if row is None else (_batch(row), int(row.transactions))

    async def head(self, tx: Transaction) -> ChainBatch | None:
        row = (await tx.execute(_HEAD)).one_or_none()
        return _batch(row) if row else None

    async def find_batch(self, tx: Transaction, batch_no: int) -> ChainBatch | None:
        row = (await tx.execute(_BATCH, {"batch_no": batch_no})).one_or_none()
        return _batch(row) if row else None

    async def merchants_of(self, tx: Transaction, batch_no: int) -> list[UUID]:
        """Those whose transactions are in the batch."""
        return list((await tx.execute(_MERCHANTS, {"batch_no": batch_no})).scalars())

    async def waiting(self, tx: Transaction, merchant_id: UUID | None) -> int:
        """How many of the merchant's transactions have no place yet."""
        return int((await tx.execute(_WAITING, {"merchant": merchant_id})).scalar_one())

    async def range_from(
        self, tx: Transaction, merchant_id: UUID | None, first: int, limit: int
    ) -> tuple[int, int, int]:
        """The last of so many batches from the first on, how many they are, and how many
        transactions of the merchant they have.
        """
        row = (await tx.execute(_RANGE, {"first": first, "limit": limit})).one()
        if row.last is None:
            return first - 1, 0, 0
        values = {"first": first, "last": row.last, "merchant": merchant_id}
        count = await tx.execute(_COUNT, values)
        return int(row.last), int(row.batches), int(count.scalar_one())

    async def check(
        self, tx: Transaction, merchant_id: UUID | None, first: int, last: int, findings_max: int
    ) -> list[Finding]:
        """What is not as it was chained; of one merchant, and of batches."""
        span = {"first": first, "last": last}
        batches = await tx.execute(_BATCH_FINDINGS, {**span, "no_digest": NO_DIGEST})
        found = [Finding(FindingKind.BATCH_CHANGED, row.batch_no) for row in batches]
        values = {**span, "merchant": merchant_id, "findings_max": findings_max}
        rows = await tx.execute(_TRANSACTION_FINDINGS, values)
        found += [
            Finding(FindingKind(row.kind), row.batch_no, row.transaction_id, row.line_no)
            for row in rows
        ]
        return found[:findings_max]

    async def unchained(
        self, tx: Transaction, merchant_id: UUID | None, findings_max: int
    ) -> list[Finding]:
        """Transactions that nobody gave a place and that do not wait for one."""
        values = {"merchant": merchant_id, "findings_max": findings_max}
        rows = await tx.execute(_UNCHAINED, values)
        return [Finding(FindingKind.TRANSACTION_UNCHAINED, None, row.id) for row in rows]


def _batch(row: Any) -> ChainBatch:  # a row has no static type
    return ChainBatch(
        row.batch_no,
        bytes(row.previous),
        bytes(row.digest),
        int(row.transactions_total),
        row.chained_at,
    )
