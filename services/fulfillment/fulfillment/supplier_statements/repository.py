"""SQL of statements: lines in chunks, the comparison as a whole."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from fulfillment.supplier_statements.domain import (
    Difference,
    Differing,
    Statement,
    StatementLine,
    StatementState,
)
from kit.db import Transaction
from kit.money import Money

_LAST_ID = UUID(int=2**128 - 1)


class StatementRepository:
    async def begin(self, tx: Transaction, statement: Statement) -> Statement:
        """The statement, or the one of the same file: read once more if that had not come to an
        end. Lines that are there stay and are counted.
        """
        rows = await tx.execute(
            _BEGIN,
            {
                **{name: getattr(statement, name) for name in _GIVEN},
                "period_from": statement.period_from,
                "period_to": statement.period_to,
            },
        )
        row = rows.one_or_none()
        if row is None:
            values = {"merchant_id": statement.merchant_id, "digest": statement.digest}
            row = (await tx.execute(_OF_DIGEST, values)).one()
        return _statement(row)

    async def has_supplier(self, tx: Transaction, merchant_id: UUID, supplier: str) -> bool:
        values = {"merchant_id": merchant_id, "supplier": supplier}
        return bool((await tx.execute(_HAS_SUPPLIER, values)).scalar_one())

    async def add_lines(
        self, tx: Transaction, statement: Statement, lines: Sequence[StatementLine]
    ) -> None:
        """A line that is there already stays. The statement's figures are those of its lines,
        whoever else reads the same file now.
        """
        amounts = [line.amount for line in lines]
        fields = ("line", "purchase_id", "reference", "supplier_reference", "happened_at")
        values: dict[str, Any] = {name: [getattr(it, name) for it in lines] for name in fields}
        await tx.execute(
            _ADD_LINES,
            {
                **values,
                "statement_id": statement.id,
                "amount_minor": [amount.amount_minor if amount else None for amount in amounts],
                "currency": [amount.currency if amount else "" for amount in amounts],
                "status": [line.status.value for line in lines],
                "refused": [line.refused for line in lines],
            },
        )

    async def resolve(self, tx: Transaction, statement: Statement) -> None:
        """Lines that name only the supplier's number get our reference by it; the period is that
        of the lines where none was given.
        """
        values = {
            "statement_id": statement.id,
            "merchant_id": statement.merchant_id,
            "supplier": statement.supplier,
        }
        await tx.execute(_RESOLVE, values)
        await tx.execute(_PERIOD, {"statement_id": statement.id})

    async def count(self, tx: Transaction, statement: Statement) -> Mapping[str, int]:
        """How many lines and purchases came to which end."""
        rows = await tx.execute(_COUNT, _compared(statement))
        return {row.result: row.number for row in rows}

    async def list_differing(
        self, tx: Transaction, statement: Statement, limit: int
    ) -> list[Differing]:
        rows = await tx.execute(_DIFFERING, {**_compared(statement), "limit": limit})
        return [_differing(row) for row in rows]

    async def end(
        self,
        tx: Transaction,
        statement_id: UUID,
        state: StatementState,
        *,
        reason: str = "",
        results: Mapping[str, int] | None = None,
    ) -> Statement | None:
        """None when another upload of the same file has ended it."""
        values = {
            "id": statement_id,
            "state": state.value,
            "reason": reason,
            "results": orjson.dumps(dict(results or {})).decode(),
        }
        row = (await tx.execute(_END, values)).one_or_none()
        return _statement(row) if row else None

    async def find(
        self, tx: Transaction, merchant_id: UUID, statement_id: UUID
    ) -> Statement | None:
        values = {"merchant_id": merchant_id, "id": statement_id}
        row = (await tx.execute(_GET, values)).one_or_none()
        return _statement(row) if row else None

    async def list_statements(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[Statement]:
        values = {"merchant_id": merchant_id, "after": after or _LAST_ID, "limit": limit}
        return [_statement(row) for row in await tx.execute(_LIST, values)]


def _compared(statement: Statement) -> dict[str, Any]:
    return {
        "statement_id": statement.id,
        "merchant_id": statement.merchant_id,
        "supplier": statement.supplier,
    }


def _statement(row: Any) -> Statement:  # a row has no static type
    return Statement(
        **{name: getattr(row, name) for name in _PLAIN},
        state=StatementState(row.state),
        results=orjson.loads(row.results),
    )


def _differing(row: Any) -> Differing:  # a row has no static type
    there = None if row.there_minor is None else Money(row.there_minor, row.there_currency)
    here = None if row.here_minor is None else Money(row.here_minor, row.here_currency)
    return Differing(
        kind=Difference(row.result),
        line=row.line,
        reference=row.reference,
        purchase_id=row.purchase_id,
        order_id=row.order_id,
        procurement_id=row.procurement_id,
        amount_there=there,
        amount_here=here,
        status_there=row.status,
        state_here=row.state,
    )


_GIVEN = ("id", "merchant_id", "supplier", "file_name", "digest")
_PLAIN = (
    *_GIVEN,
    "period_from",
    "period_to",
    "reason",
    "lines",
    "refused",
    "created_at",
    "ended_at",
)
_COLUMNS = ", ".join(_PLAIN) + ", state, CAST(results AS text) AS results"
_BEGIN = text(
    f"""
    INSERT INTO supplier_statement AS s (id, merchant_id, supplier, file_name, digest, period_from,
                                         period_to)
    VALUES (:id, :merchant_id, :supplier, :file_name, :digest, :period_from, :period_to)
    ON CONFLICT (merchant_id, digest) DO UPDATE SET state = 'reading', reason = '', ended_at = NULL
    WHERE s.state <> 'completed'
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_READ = f"SELECT {_COLUMNS} FROM supplier_statement"  # noqa: S608 - column names of this file
_OF_DIGEST = text(_READ + " WHERE merchant_id = :merchant_id AND digest = :digest")
_GET = text(_READ + " WHERE merchant_id = :merchant_id AND id = :id")
_LIST = text(
    _READ + " WHERE merchant_id = :merchant_id AND id < :after ORDER BY id DESC LIMIT :limit"
)
_HAS_SUPPLIER = text(
    "SELECT EXISTS (SELECT 1 FROM supplier WHERE merchant_id = :merchant_id AND name = :supplier)"
)
_ADD_LINES = text(
    """
    WITH added AS (
        INSERT INTO supplier_statement_line (statement_id, line, purchase_id, reference,
            supplier_reference, amount_minor, currency, status, happened_at, refused)
        SELECT CAST(:statement_id AS uuid), own.* FROM unnest(CAST(:line AS int[]),
            CAST(:purchase_id AS uuid[]), CAST(:reference AS text[]),
            CAST(:supplier_reference AS text[]), CAST(:amount_minor AS bigint[]),
            CAST(:currency AS text[]), CAST(:status AS text[]), CAST(:happened_at AS timestamptz[]),
            CAST(:refused AS text[])) AS own
        ON CONFLICT (statement_id, line) DO NOTHING
        RETURNING refused
    ), figures AS (
        SELECT count(*) AS lines, count(*) FILTER (WHERE refused <> '') AS refused FROM added
    )
    UPDATE supplier_statement s SET lines = s.lines + figures.lines,
           refused = s.refused + figures.refused
    FROM figures WHERE s.id = :statement_id AND figures.lines > 0
    """
)
_RESOLVE = text(
    """
    UPDATE supplier_statement_line l SET purchase_id = p.id
    FROM purchase p
    WHERE l.statement_id = :statement_id AND l.purchase_id IS NULL AND l.supplier_reference <> ''
      AND p.merchant_id = :merchant_id AND p.supplier = :supplier
      AND p.supplier_reference = l.supplier_reference
    """
)
_PERIOD = text(
    """
    UPDATE supplier_statement s
    SET period_from = coalesce(s.period_from, seen.first),
        period_to = coalesce(s.period_to, seen.last)
    FROM (SELECT min(happened_at) AS first, max(happened_at) AS last
          FROM supplier_statement_line WHERE statement_id = :statement_id) seen
    WHERE s.id = :statement_id
    """
)
# A line of ours is one whose purchase is this merchant's with this supplier.
_RESULTS = """
    WITH statement AS (
        SELECT period_from, period_to FROM supplier_statement WHERE id = :statement_id
    ), said AS (
        SELECT l.line, l.reference, l.amount_minor AS there_minor, l.currency AS there_currency,
               l.status, p.id AS purchase_id, p.order_id, p.procurement_id, p.state,
               p.cost_minor AS here_minor, p.currency AS here_currency,
               row_number() OVER (PARTITION BY p.id, l.status ORDER BY l.line) AS nth
        FROM supplier_statement_line l LEFT JOIN purchase p ON p.id = l.purchase_id
             AND p.merchant_id = :merchant_id AND p.supplier = :supplier
        WHERE l.statement_id = :statement_id AND l.refused = ''
    ), compared AS (
        SELECT CASE
            WHEN status = 'pending' THEN 'pending'
            WHEN purchase_id IS NULL THEN
                CASE WHEN status = 'done' THEN 'missing_here' ELSE 'matched' END
            WHEN nth > 1 AND status = 'done' THEN 'listed_twice'
            WHEN status = state AND state = 'failed' THEN 'matched'
            WHEN status <> state THEN 'state_differs'
            WHEN there_minor <> here_minor OR there_currency <> here_currency
                THEN 'amount_differs'
            ELSE 'matched' END AS result,
            line, reference, purchase_id, order_id, procurement_id, there_minor, there_currency,
            here_minor, here_currency, status, coalesce(state, '') AS state
        FROM said
        UNION ALL
        SELECT 'missing_there', NULL, CAST(p.id AS text), p.id, p.order_id, p.procurement_id, NULL,
               NULL, p.cost_minor, p.currency, '', p.state
        FROM purchase p CROSS JOIN statement s
        WHERE p.merchant_id = :merchant_id AND p.supplier = :supplier AND p.state = 'done'
          AND p.sent_at >= s.period_from AND p.sent_at <= s.period_to
          AND NOT EXISTS (
            SELECT 1 FROM supplier_statement_line l
            WHERE l.statement_id = :statement_id AND l.purchase_id = p.id)
    )
"""
_COUNT_THEM = " SELECT result, count(*) AS number FROM compared GROUP BY result"
_COUNT = text(_RESULTS + _COUNT_THEM)
_THOSE_THAT_DIFFER = """
    SELECT * FROM compared WHERE result NOT IN ('matched', 'pending')
    ORDER BY line NULLS LAST, purchase_id LIMIT :limit
"""
_DIFFERING = text(_RESULTS + _THOSE_THAT_DIFFER)
_END = text(
    f"""
    UPDATE supplier_statement SET state = :state, reason = :reason,
           results = CAST(:results AS jsonb), ended_at = clock_timestamp()
    WHERE id = :id AND state = 'reading' RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
