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
from ledger.statement_comparison import DIFFERING, JOINING, OUTGOING, REMEMBERING, RESULTS

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
_END = text(f"""
    UPDATE reconciliation SET state = :state, reason = :reason,
        results = CAST(:results AS jsonb), ended_at = clock_timestamp()
    WHERE id = :id RETURNING {_COLUMNS}
""")  # noqa: S608 - column names of this file
# Only sources that send statements: a shop that reconciles nothing has no cases.
LATE = text("""
    WITH source AS MATERIALIZED (
        SELECT DISTINCT merchant_id, channel_id, provider, match_by,
            coalesce('channel:' || channel_id, 'provider:' || provider) AS name,
            min(period_from) OVER (PARTITION BY merchant_id, channel_id, provider) AS since
        FROM reconciliation WHERE state = 'completed'
    ), late AS MATERIALIZED (
        SELECT payment.merchant_id, source.name, payment.currency, payment.amount_minor,
            payment.happened_at, CASE WHEN source.match_by = 'order'
                THEN (SELECT reference FROM order_reference AS named
                      WHERE named.order_id = payment.order_id)
                ELSE payment.reference END AS reference
        FROM payment_fact AS payment JOIN source ON source.merchant_id = payment.merchant_id
            AND (source.channel_id = payment.channel_id
                OR source.provider <> '' AND source.provider = payment.provider)
        WHERE payment.listed_in IS NULL AND payment.happened_at >= source.since
            AND payment.happened_at
                < clock_timestamp() - make_interval(days => CAST(:days AS int))
    )
    SELECT merchant_id, name, currency, reference, sum(amount_minor)::bigint AS minor,
        min(happened_at) AS happened_at
    FROM late WHERE reference IS NOT NULL AND NOT EXISTS (
        SELECT FROM reconciliation_case AS known
        WHERE known.merchant_id = late.merchant_id AND known.source = late.name
            AND known.reference = late.reference AND known.kind = 'missing_there')
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 4 LIMIT :limit
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
        for setting in (_PATIENT, JOINING, REMEMBERING):
            await tx.execute(setting)
        await tx.execute(_PERIOD, {"id": one.id})
        key = {"id": one.id, "merchant_id": one.merchant_id}
        values = {**key, "source": one.source.name}
        counts = {it.kind: it.number for it in await tx.execute(RESULTS, values) if it.number}
        rows = await tx.execute(DIFFERING, {**key, "limit": limit})
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
        matched, *rows = (await tx.execute(OUTGOING, values)).all()
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
        for setting in (_PATIENT, JOINING, REMEMBERING):
            await tx.execute(setting)
        rows = await tx.execute(LATE, {"days": days, "limit": limit})
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
