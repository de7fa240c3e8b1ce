from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from ledger.reconciliation_cases.domain import Difference, Kind
from ledger.reconciliations.domain import (
    Line,
    MatchBy,
    MoneyOut,
    Payment,
    Reconciliation,
    Source,
    State,
)

_ADD_PAYMENTS = text("""
    INSERT INTO payment_fact (event_id, merchant_id, channel_id, order_id, provider, reference,
        amount_minor, currency, happened_at)
    SELECT * FROM unnest(CAST(:event_id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:channel_id AS uuid[]), CAST(:order_id AS uuid[]), CAST(:provider AS text[]),
        CAST(:reference AS text[]), CAST(:amount_minor AS bigint[]), CAST(:currency AS text[]),
        CAST(:happened_at AS timestamptz[]))
    ON CONFLICT (event_id) DO NOTHING
""")
_ADD_MONEY_OUT = text("""
    INSERT INTO money_out (event_id, kind, merchant_id, order_id, amount_minor, currency,
        happened_at)
    SELECT * FROM unnest(CAST(:event_id AS uuid[]), CAST(:kind AS text[]),
        CAST(:merchant_id AS uuid[]), CAST(:order_id AS uuid[]), CAST(:amount_minor AS bigint[]),
        CAST(:currency AS text[]), CAST(:happened_at AS timestamptz[]))
    ON CONFLICT (event_id, kind) DO NOTHING
""")
_ADD_REFERENCES = text("""
    INSERT INTO order_reference (order_id, merchant_id, channel_id, reference)
    SELECT DISTINCT * FROM unnest(CAST(:order_id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:channel_id AS uuid[]), CAST(:reference AS text[]))
    ON CONFLICT (order_id) DO NOTHING
""")
_COLUMNS = (
    "id, merchant_id, digest, channel_id, provider, match_by, file_name, state, reason, "
    "period_from, period_to, lines, refused, results, created_at, ended_at"
)
# One that was cut off begins anew: its lines are added again, those that are there stay and are
# counted already.
_BEGIN = text(f"""
    INSERT INTO reconciliation (id, merchant_id, digest, channel_id, provider, match_by, file_name,
        period_from, period_to)
    VALUES (:id, :merchant_id, :digest, :channel_id, :provider, :match_by, :file_name,
        CAST(:period_from AS timestamptz), CAST(:period_to AS timestamptz))
    ON CONFLICT (merchant_id, digest) DO UPDATE SET
        state = CASE WHEN reconciliation.state = 'completed' THEN 'completed' ELSE 'reading' END
    RETURNING {_COLUMNS}
""")  # noqa: S608 - column names of this file
_READ = f"SELECT {_COLUMNS} FROM reconciliation WHERE merchant_id = :merchant_id"  # noqa: S608 - constants
_GET = text(_READ + " AND id = :id")
_LIST = text(
    _READ + " AND (CAST(:before AS uuid) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit"
)
_ADD_LINES = text("""
    WITH added AS (
        INSERT INTO reconciliation_line (reconciliation_id, line, reference, amount_minor, currency,
            happened_at, refused)
        SELECT :reconciliation_id, given.* FROM unnest(CAST(:line AS int[]),
            CAST(:reference AS text[]), CAST(:amount_minor AS bigint[]), CAST(:currency AS text[]),
            CAST(:happened_at AS timestamptz[]), CAST(:refused AS text[])) AS given
        ON CONFLICT (reconciliation_id, line) DO NOTHING
        RETURNING refused
    )
    UPDATE reconciliation SET lines = lines + number, refused = reconciliation.refused + unreadable
    FROM (SELECT count(*) AS number, count(*) FILTER (WHERE refused <> '') AS unreadable
          FROM added) AS counted
    WHERE id = :reconciliation_id
""")
_PATIENT = text("SET LOCAL statement_timeout = '10min'")
_PERIOD = text("""
    UPDATE reconciliation AS one SET period_from = coalesce(one.period_from, seen.first),
        period_to = coalesce(one.period_to, seen.last)
    FROM (SELECT min(happened_at) AS first, max(happened_at) AS last FROM reconciliation_line
          WHERE reconciliation_id = :id AND refused = '') AS seen
    WHERE one.id = :id
""")
_COMPARED = """
    WITH one AS (SELECT * FROM reconciliation WHERE id = :id),
    said AS MATERIALIZED (
        SELECT reference, min(currency) AS currency, sum(amount_minor)::bigint AS minor,
            min(happened_at) AS happened_at, min(currency) <> max(currency) AS is_mixed
        FROM reconciliation_line
        WHERE reconciliation_id = :id AND refused = '' AND amount_minor > 0 GROUP BY reference
    ), known AS MATERIALIZED (
        SELECT payment.*, CASE WHEN one.match_by = 'order' THEN named.reference
            ELSE payment.reference END AS key,
            payment.happened_at >= one.period_from AND payment.happened_at <= one.period_to
                AS is_within
        FROM one JOIN payment_fact AS payment ON payment.merchant_id = one.merchant_id
            AND CASE WHEN one.channel_id IS NULL THEN payment.provider = one.provider
                ELSE payment.channel_id = one.channel_id END
        LEFT JOIN order_reference AS named ON named.order_id = payment.order_id
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
"""
_COUNT = """
    , listed AS (
        UPDATE payment_fact SET listed_in = :id FROM known JOIN said ON said.reference = known.key
        WHERE payment_fact.event_id = known.event_id AND payment_fact.listed_in IS NULL
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
_RESULTS = text(_COMPARED + _COUNT)
_DIFFERENT = "SELECT * FROM compared WHERE kind <> 'matched' ORDER BY reference LIMIT :limit"
_DIFFERING = text(_COMPARED + _DIFFERENT)
# The events of refunds carry no number of their provider: a line and a refund or fee meet by the
# order that the line's reference paid, and the amount; of several alike the first with the first.
# One event tells what went back for several lines, each a refund over there: what is left of an
# order on both sides may agree as a sum.
_OUTGOING = text("""
    WITH one AS (SELECT * FROM reconciliation WHERE id = :id),
    known AS MATERIALIZED (
        SELECT DISTINCT CASE WHEN one.match_by = 'order' THEN named.reference
            ELSE payment.reference END AS key, payment.order_id
        FROM one JOIN payment_fact AS payment ON payment.merchant_id = one.merchant_id
            AND CASE WHEN one.channel_id IS NULL THEN payment.provider = one.provider
                ELSE payment.channel_id = one.channel_id END
        LEFT JOIN order_reference AS named ON named.order_id = payment.order_id
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
        LEFT JOIN money_out_listing AS listing ON listing.event_id = gone.event_id
            AND listing.kind = gone.kind AND listing.source = :source
        WHERE gone.order_id IN (SELECT order_id FROM known) AND gone.merchant_id = :merchant_id
            AND (listing.event_id IS NULL OR listing.reconciliation_id = :id)
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
        SELECT 'outgoing_missing_there', (SELECT min(key) FROM known
                WHERE known.order_id = here.order_id), here.currency, NULL,
            -sum(here.amount_minor)::bigint, min(here.happened_at)
        FROM here JOIN one ON here.happened_at BETWEEN one.period_from AND one.period_to
        WHERE here.kind = 'refund' AND EXISTS (SELECT FROM said)
            AND here.order_id NOT IN (
                SELECT other.order_id FROM one JOIN payment_fact AS other
                    ON other.merchant_id = one.merchant_id AND other.provider <> one.provider
                WHERE one.channel_id IS NULL)
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
""")
_END = text(f"""
    UPDATE reconciliation SET state = :state, reason = :reason,
        results = CAST(:results AS jsonb), ended_at = clock_timestamp()
    WHERE id = :id RETURNING {_COLUMNS}
""")  # noqa: S608 - column names of this file
# Only sources that send statements: a shop that reconciles nothing has no cases.
_LATE = text("""
    SELECT payment.merchant_id, source.name, source.is_channel, payment.currency,
        CASE WHEN source.match_by = 'order' THEN named.reference ELSE payment.reference END
            AS reference, sum(payment.amount_minor)::bigint AS minor,
        min(payment.happened_at) AS happened_at
    FROM payment_fact AS payment
    LEFT JOIN order_reference AS named ON named.order_id = payment.order_id
    JOIN (
        SELECT DISTINCT merchant_id, channel_id, provider, match_by, channel_id IS NOT NULL
            AS is_channel, coalesce('channel:' || channel_id, 'provider:' || provider) AS name,
            min(period_from) OVER (PARTITION BY merchant_id, channel_id, provider) AS since
        FROM reconciliation WHERE state = 'completed'
    ) AS source ON source.merchant_id = payment.merchant_id
        AND (source.channel_id = payment.channel_id
            OR source.provider <> '' AND source.provider = payment.provider)
    WHERE payment.listed_in IS NULL AND payment.happened_at >= source.since
        AND payment.happened_at < clock_timestamp() - make_interval(days => CAST(:days AS int))
        AND NOT EXISTS (
            SELECT 1 FROM reconciliation_case AS known
            WHERE known.merchant_id = payment.merchant_id AND known.source = source.name
                AND known.kind = 'missing_there' AND known.reference = CASE
                    WHEN source.match_by = 'order' THEN named.reference
                    ELSE payment.reference END)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 5 LIMIT :limit
""")


class ReconciliationRepository:
    async def add_payments(self, tx: Transaction, payments: Sequence[Payment]) -> None:
        names = Payment.__slots__
        values = {name: [getattr(each, name) for each in payments] for name in names}
        await tx.execute(_ADD_PAYMENTS, values)

    async def add_money_out(self, tx: Transaction, out: Sequence[MoneyOut]) -> None:
        names = MoneyOut.__slots__
        await tx.execute(
            _ADD_MONEY_OUT, {name: [getattr(it, name) for it in out] for name in names}
        )

    async def add_references(
        self, tx: Transaction, references: Sequence[tuple[UUID, UUID, UUID, str]]
    ) -> None:
        """(order, merchant, channel, its reference in the channel)"""
        columns = zip(*references, strict=True)
        names = ("order_id", "merchant_id", "channel_id", "reference")
        await tx.execute(_ADD_REFERENCES, dict(zip(names, map(list, columns), strict=True)))

    async def begin(self, tx: Transaction, one: Reconciliation) -> Reconciliation:
        """As it stands, when the same statement was begun before."""
        values = {
            "id": one.id,
            "merchant_id": one.merchant_id,
            "digest": one.digest,
            "channel_id": one.source.channel_id,
            "provider": one.source.provider,
            "match_by": one.match_by.value,
            "file_name": one.file_name,
            "period_from": one.period_from,
            "period_to": one.period_to,
        }
        return _reconciliation((await tx.execute(_BEGIN, values)).one())

    async def add_lines(
        self, tx: Transaction, reconciliation_id: UUID, lines: Sequence[Line]
    ) -> None:
        values = {name: [getattr(line, name) for line in lines] for name in Line.__slots__}
        await tx.execute(_ADD_LINES, {**values, "reconciliation_id": reconciliation_id})

    async def compare(
        self, tx: Transaction, one: Reconciliation, *, limit: int
    ) -> tuple[dict[str, int], list[Difference]]:
        """How many came to which end, and those that differ; marks what the statement lists, and
        closes the cases that agree now.
        """
        await tx.execute(_PATIENT)
        await tx.execute(_PERIOD, {"id": one.id})
        values = {"id": one.id, "merchant_id": one.merchant_id, "source": one.source.name}
        counts = {it.kind: it.number for it in await tx.execute(_RESULTS, values) if it.number}
        rows = await tx.execute(_DIFFERING, {"id": one.id, "limit": limit})
        return counts, [_difference(row) for row in rows]

    async def compare_outgoing(
        self, tx: Transaction, one: Reconciliation, *, pays_all: bool, limit: int
    ) -> tuple[int, list[Difference]]:
        """How many outgoing lines are a refund, a fee or a payout that the ledger knows, and those
        that are none; with them the refunds of the period that a statement with outgoing lines does
        not list. Marks what is listed, and closes the cases that agree now.
        """
        values = {
            "id": one.id,
            "merchant_id": one.merchant_id,
            "source": one.source.name,
            "pays_all": pays_all,
            "limit": limit,
        }
        matched, *rows = (await tx.execute(_OUTGOING, values)).all()
        return int(matched.there_minor), [_difference(row) for row in rows]

    async def end(
        self, tx: Transaction, one: UUID, state: State, *, reason: str, results: dict[str, int]
    ) -> Reconciliation:
        values = {
            "id": one,
            "state": state.value,
            "reason": reason,
            "results": orjson.dumps(results).decode(),
        }
        return _reconciliation((await tx.execute(_END, values)).one())

    async def list_late(
        self, tx: Transaction, *, days: int, limit: int
    ) -> list[tuple[UUID, str, Difference]]:
        """(merchant, source, payment that no statement lists though it is older than so many
        days)
        """
        rows = await tx.execute(_LATE, {"days": days, "limit": limit})
        return [
            (
                row.merchant_id,
                row.name,
                Difference(
                    Kind.MISSING_THERE, row.reference, row.currency, None, row.minor,
                    row.happened_at,
                ),
            )
            for row in rows
            if row.reference
        ]  # fmt: skip

    async def find(self, tx: Transaction, merchant_id: UUID, one: UUID) -> Reconciliation | None:
        row = (await tx.execute(_GET, {"merchant_id": merchant_id, "id": one})).one_or_none()
        return None if row is None else _reconciliation(row)

    async def list_them(
        self, tx: Transaction, merchant_id: UUID, *, before: UUID | None, limit: int
    ) -> list[Reconciliation]:
        values = {"merchant_id": merchant_id, "before": before, "limit": limit}
        return [_reconciliation(row) for row in await tx.execute(_LIST, values)]


def _reconciliation(row: Any) -> Reconciliation:
    results = orjson.loads(row.results) if isinstance(row.results, str) else row.results
    return Reconciliation(
        id=row.id,
        merchant_id=row.merchant_id,
        source=Source(row.channel_id, row.provider),
        match_by=MatchBy(row.match_by),
        file_name=row.file_name,
        digest=row.digest,
        period_from=row.period_from,
        period_to=row.period_to,
        state=State(row.state),
        reason=row.reason,
        lines=row.lines,
        refused=row.refused,
        results=results,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _difference(row: Any) -> Difference:
    happened_at: datetime | None = row.happened_at
    return Difference(
        Kind(row.kind), row.reference, row.currency, row.there_minor, row.here_minor, happened_at
    )
