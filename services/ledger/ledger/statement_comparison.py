"""Statements held against what the ledger was told of: the SQL of the reconciliations' repository.
How long its lists are no statistics tell.
"""

from sqlalchemy import text

# What a payment is called in the statement, and whether it may be in it at all.
_KEY = """
    CASE WHEN (SELECT match_by FROM one) = 'order'
        THEN (SELECT reference FROM order_reference AS named
              WHERE named.order_id = payment.order_id)
        ELSE payment.reference END
"""
_OF_SOURCE = """
    payment.merchant_id = :merchant_id
        AND CASE WHEN (SELECT channel_id FROM one) IS NULL
            THEN payment.provider = (SELECT provider FROM one)
            ELSE payment.channel_id = (SELECT channel_id FROM one) END
"""
# For what holds lists against each other: no statistics tell how many lines a statement has, so
# lists are joined by hash, and what is found by a key is asked for row by row.
JOINING = text("SET LOCAL enable_nestloop = off")
REMEMBERING = text("SET LOCAL work_mem = '64MB'")
_COMPARED = f"""
    WITH one AS (SELECT * FROM reconciliation WHERE id = :id),
    said AS MATERIALIZED (
        SELECT reference, min(currency) AS currency, sum(amount_minor)::bigint AS minor,
            min(happened_at) AS happened_at, min(currency) <> max(currency) AS is_mixed
        FROM reconciliation_line
        WHERE reconciliation_id = :id AND refused = '' AND amount_minor > 0 GROUP BY reference
    ), known AS MATERIALIZED (
        SELECT payment.*, {_KEY} AS key,
            payment.happened_at >= (SELECT period_from FROM one)
                AND payment.happened_at <= (SELECT period_to FROM one) AS is_within
        FROM payment_fact AS payment WHERE {_OF_SOURCE}
    ), kept AS (
        SELECT key AS reference, min(currency) AS currency, sum(amount_minor)::bigint AS minor,
            min(happened_at) AS happened_at, min(currency) <> max(currency) AS is_mixed
        FROM known WHERE key IS NOT NULL AND (is_within OR key IN (SELECT reference FROM said))
        GROUP BY key
    ), compared AS MATERIALIZED (
        SELECT coalesce(said.reference, kept.reference) AS reference,
            coalesce(said.currency, kept.currency) AS currency,
            CASE WHEN NOT said.is_mixed THEN said.minor END AS there_minor,
            CASE WHEN NOT kept.is_mixed THEN kept.minor END AS here_minor,
            coalesce(said.happened_at, kept.happened_at) AS happened_at,
            CASE WHEN kept.reference IS NULL THEN 'missing_here'
                WHEN said.reference IS NULL THEN 'missing_there'
                WHEN said.minor <> kept.minor OR said.currency <> kept.currency
                    OR said.is_mixed OR kept.is_mixed
                    THEN 'amount_differs'
                ELSE 'matched' END AS kind
        FROM said FULL JOIN kept ON kept.reference = said.reference
    )
"""  # noqa: S608 - made of constants above
_COUNT = """
    , listed AS (
        UPDATE payment_fact SET listed_in = coalesce(listed_in, :id)
        WHERE event_id = ANY(ARRAY(
            SELECT known.event_id FROM known JOIN said ON said.reference = known.key
            WHERE known.listed_in IS NULL))
    ), settled AS (
        UPDATE reconciliation_case AS old SET state = 'closed', closed_at = clock_timestamp(),
            closed_by = 'reconciliation', reason = 'agrees in a later statement'
        FROM compared
        WHERE old.merchant_id = :merchant_id AND old.source = :source AND old.state = 'open'
            AND old.reference = compared.reference AND compared.kind = 'matched'
            AND old.kind NOT IN ('outgoing_missing_here', 'outgoing_missing_there')
    )
    SELECT kind, count(*)::int AS number FROM compared GROUP BY kind
    UNION ALL SELECT 'outgoing', count(*)::int FROM reconciliation_line
    WHERE reconciliation_id = :id AND refused = '' AND amount_minor <= 0
"""
RESULTS = text(_COMPARED + _COUNT)
_DIFFERENT = "SELECT * FROM compared WHERE kind <> 'matched' ORDER BY reference LIMIT :limit"
DIFFERING = text(_COMPARED + _DIFFERENT)
# The events of refunds carry no number of their provider: a line and a refund or fee meet by the
# order that the line's reference paid, and the amount; of several alike the first with the first.
# One event tells what went back for several lines, each a refund over there: what is left of an
# order on both sides may agree as a sum.
OUTGOING = text(f"""
    WITH one AS (SELECT * FROM reconciliation WHERE id = :id),
    known AS MATERIALIZED (
        SELECT DISTINCT {_KEY} AS key, payment.order_id
        FROM payment_fact AS payment WHERE {_OF_SOURCE}
    ), said AS MATERIALIZED (
        SELECT line.line, line.reference, line.currency, -line.amount_minor AS minor,
            line.happened_at, paid.order_id, row_number() OVER (
                PARTITION BY paid.order_id, line.currency, line.amount_minor ORDER BY line.line)
                AS place
        FROM reconciliation_line AS line
        LEFT JOIN (SELECT key, min(order_id::text)::uuid AS order_id FROM known GROUP BY key)
            AS paid ON paid.key = line.reference
        WHERE line.reconciliation_id = :id AND line.refused = '' AND line.amount_minor < 0
    ), here AS MATERIALIZED (
        SELECT gone.*, row_number() OVER (
            PARTITION BY gone.order_id, gone.currency, gone.amount_minor
            ORDER BY gone.happened_at, gone.event_id) AS place
        FROM money_out AS gone
        WHERE gone.order_id = ANY(ARRAY(SELECT DISTINCT order_id FROM known))
            AND gone.merchant_id = :merchant_id
            AND coalesce((SELECT listing.reconciliation_id FROM money_out_listing AS listing
                WHERE listing.event_id = gone.event_id AND listing.kind = gone.kind
                    AND listing.source = :source), :id) = :id
    ), paired AS MATERIALIZED (
        SELECT said.*, here.event_id, here.kind,
            here.event_id IS NOT NULL OR payout.id IS NOT NULL AS is_known
        FROM said LEFT JOIN here ON here.order_id = said.order_id AND here.place = said.place
            AND here.currency = said.currency AND here.amount_minor = said.minor
        LEFT JOIN payout ON payout.id::text = lower(said.reference)
            AND (payout.merchant_id = :merchant_id OR CAST(:pays_all AS boolean))
            AND payout.currency = said.currency AND payout.amount_minor = said.minor
            AND payout.state NOT IN ('proposed', 'rejected')
    ), loose AS MATERIALIZED (
        SELECT here.* FROM here LEFT JOIN paired USING (event_id, kind)
        WHERE kind = 'refund' AND paired.line IS NULL
    ), summed AS MATERIALIZED (
        SELECT order_id, currency FROM (SELECT order_id, currency, sum(minor) AS minor FROM paired
            WHERE NOT is_known GROUP BY order_id, currency) AS there
        JOIN (SELECT order_id, currency, sum(amount_minor) AS minor FROM loose
              GROUP BY order_id, currency) AS gone USING (order_id, currency, minor)
    ), met AS MATERIALIZED (
        SELECT reference, currency, minor, happened_at,
            is_known OR summed.order_id IS NOT NULL AS is_known
        FROM paired LEFT JOIN summed USING (order_id, currency)
    ), explained AS MATERIALIZED (
        SELECT event_id, kind FROM paired WHERE event_id IS NOT NULL
        UNION SELECT event_id, kind FROM loose JOIN summed USING (order_id, currency)
    ), listed AS (
        INSERT INTO money_out_listing (event_id, kind, source, reconciliation_id)
        SELECT event_id, kind, :source, :id FROM explained ON CONFLICT DO NOTHING
    ), differing AS MATERIALIZED (
        SELECT 'outgoing_missing_here' AS kind, reference, currency,
            -sum(minor)::bigint AS there_minor, NULL::bigint AS here_minor,
            min(happened_at) AS happened_at
        FROM met WHERE NOT is_known GROUP BY reference, currency
        UNION ALL
        SELECT 'outgoing_missing_there', min(named.key), here.currency, NULL,
            -sum(here.amount_minor)::bigint, min(here.happened_at)
        FROM here JOIN (SELECT order_id, min(key) AS key FROM known GROUP BY order_id) AS named
            ON named.order_id = here.order_id
        WHERE here.kind = 'refund' AND EXISTS (SELECT FROM said)
            AND here.happened_at BETWEEN (SELECT period_from FROM one)
                AND (SELECT period_to FROM one)
            AND here.order_id NOT IN (
                SELECT other.order_id FROM payment_fact AS other
                WHERE other.merchant_id = :merchant_id
                    AND other.provider <> (SELECT provider FROM one)
                    AND (SELECT channel_id FROM one) IS NULL)
            AND NOT EXISTS (SELECT FROM explained WHERE explained.event_id = here.event_id
                            AND explained.kind = here.kind)
        GROUP BY here.order_id, here.currency
    ), settled AS (
        UPDATE reconciliation_case AS old SET state = 'closed', closed_at = clock_timestamp(),
            closed_by = 'reconciliation', reason = 'agrees in a later statement'
        WHERE old.merchant_id = :merchant_id AND old.source = :source AND old.state = 'open'
            AND old.kind IN ('outgoing_missing_here', 'outgoing_missing_there')
            AND old.reference IN (SELECT reference FROM met WHERE is_known)
            AND old.reference NOT IN (SELECT reference FROM differing WHERE reference IS NOT NULL)
    )
    SELECT 'matched' AS kind, '' AS reference, '' AS currency, count(*) AS there_minor,
        NULL::bigint AS here_minor, NULL::timestamptz AS happened_at FROM met WHERE is_known
    UNION ALL
    (SELECT * FROM differing WHERE reference IS NOT NULL ORDER BY reference, kind LIMIT :limit)
""")  # noqa: S608 - made of constants above
