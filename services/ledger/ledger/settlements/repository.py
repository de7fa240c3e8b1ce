from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import LAST_ID
from ledger.accounts.domain import SETTLEMENT_AVAILABLE
from ledger.settlements.domain import (
    Preview,
    Settlement,
    SettlementLine,
    SettlementState,
    Totals,
    kind_of,
)

_COLUMNS = """
    id, merchant_id, currency, period_start, period_end, state, opening_minor, closing_minor,
    lines, due_on, payout_min_minor, payout_id, created_by, created_at, closed_at, paid_at
"""
# Accounts with something that is in no settlement yet. `last` is the end of the settlement before.
_TO_SETTLE = """
    SELECT account.merchant_id, account.currency, last.period_end AS period_start,
        coalesce(last.closing_minor, 0) AS opening_minor, loose.lines, loose.total_minor
    FROM account {wanted}
    LEFT JOIN LATERAL (
        SELECT period_end, closing_minor FROM settlement
        WHERE settlement.merchant_id = account.merchant_id
            AND settlement.currency = account.currency
        ORDER BY period_end DESC LIMIT 1
    ) AS last ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS lines, coalesce(sum(amount_minor), 0) AS total_minor FROM posting
        WHERE posting.account_id = account.id AND posting.at < {period_end}
            AND NOT EXISTS (SELECT FROM settlement_line AS line
                            WHERE line.transaction_id = posting.transaction_id
                                AND line.line_no = posting.line_no)
    ) AS loose
    WHERE account.code = :available AND {which}
        AND (last.period_end IS NULL OR last.period_end < {period_end})
        AND NOT EXISTS (SELECT FROM settlement WHERE state = 'open'
                        AND settlement.merchant_id = account.merchant_id
                        AND settlement.currency = account.currency)
        AND loose.lines > 0
    ORDER BY account.merchant_id, account.currency
    LIMIT :limit
"""
_TO_SETTLE_UNTIL = text(
    _TO_SETTLE.format(
        period_end="CAST(:period_end AS timestamptz)",
        wanted="",
        which="(CAST(:merchant_id AS uuid) IS NULL OR account.merchant_id = :merchant_id)",
    )
)
_TO_SETTLE_EACH = text(
    _TO_SETTLE.format(
        period_end="wanted.period_end",
        wanted="""JOIN unnest(CAST(:merchants AS uuid[]), CAST(:currencies AS text[]),
            CAST(:ends AS timestamptz[])) AS wanted(merchant_id, currency, period_end)
            ON wanted.merchant_id = account.merchant_id AND wanted.currency = account.currency""",
        which="true",
    )
)
# For jobs: each posting an account ever had is looked at, which takes longer than a caller waits.
_PATIENT = text("SET LOCAL statement_timeout = '10min'")
_TO_LOOK_AT = text("""
    SELECT account.merchant_id, account.currency FROM account
    WHERE account.code = :available
        AND NOT EXISTS (SELECT FROM settlement WHERE state = 'open'
                        AND settlement.merchant_id = account.merchant_id
                        AND settlement.currency = account.currency)
    ORDER BY account.merchant_id, account.currency
""")
# One that follows a settlement which is not the last any more would open with a wrong balance:
# another period was settled since, perhaps to its end.
_ADD = text("""
    INSERT INTO settlement (id, merchant_id, currency, period_start, period_end, state,
        opening_minor, closing_minor, due_on, payout_min_minor, created_by)
    SELECT id, merchant_id, currency, period_start, period_end, 'open', opening, opening, due_on,
        payout_min, :created_by
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:currencies AS text[]),
        CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]), CAST(:openings AS bigint[]),
        CAST(:dues AS date[]), CAST(:payout_mins AS bigint[]))
        AS given(id, merchant_id, currency, period_start, period_end, opening, due_on, payout_min)
    WHERE NOT EXISTS (SELECT FROM settlement AS newer
        WHERE newer.merchant_id = given.merchant_id AND newer.currency = given.currency
            AND newer.period_end > coalesce(given.period_start, '-infinity'))
    ORDER BY merchant_id, currency
    ON CONFLICT DO NOTHING
""")
_OF_PERIOD = text(f"""
    SELECT {_COLUMNS} FROM settlement
    WHERE period_end = :period_end
        AND (CAST(:merchant_id AS uuid) IS NULL OR merchant_id = :merchant_id)
    ORDER BY merchant_id, currency LIMIT :limit
""")  # noqa: S608 - made of constants above
_TAKE_OPEN = text(f"""
    SELECT {_COLUMNS} FROM settlement WHERE state = 'open'
    ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - as above
# A settlement goes on where its last line stands: what has come before that since is told late, and
# what is settled already is not looked at again for every 5,000 lines.
_COLLECT = text("""
    WITH loose AS (
        SELECT posting.transaction_id, posting.line_no, posting.amount_minor, posting.at
        FROM posting JOIN account ON account.id = posting.account_id
        WHERE account.merchant_id = :merchant_id AND account.code = :available
            AND account.currency = :currency AND posting.at < :period_end
            AND posting.at >= coalesce((
                SELECT last.at FROM settlement_line AS line
                JOIN posting AS last ON last.transaction_id = line.transaction_id
                    AND last.line_no = line.line_no
                WHERE line.settlement_id = :id AND line.position = :lines), '-infinity')
            AND NOT EXISTS (SELECT FROM settlement_line AS line
                            WHERE line.transaction_id = posting.transaction_id
                                AND line.line_no = posting.line_no)
        ORDER BY posting.at, posting.transaction_id, posting.line_no LIMIT :limit
    ), added AS (
        INSERT INTO settlement_line (transaction_id, line_no, settlement_id, position,
            balance_minor)
        SELECT transaction_id, line_no, :id, :lines + row_number() OVER ordered,
            :balance + sum(amount_minor) OVER ordered
        FROM loose
        WINDOW ordered AS (ORDER BY at, transaction_id, line_no)
        RETURNING position
    ), total AS (
        SELECT count(*) AS lines, coalesce(sum(amount_minor), 0) AS total_minor FROM loose
    )
    UPDATE settlement SET lines = settlement.lines + total.lines,
        closing_minor = closing_minor + total.total_minor
    FROM total WHERE id = :id
    RETURNING total.lines AS collected
""")
_CLOSE = text(f"""
    UPDATE settlement SET state = 'closed', closed_at = clock_timestamp(), payout_id = :payout_id
    WHERE id = :id
    RETURNING {_COLUMNS}
""")  # noqa: S608 - as above
_FOLLOW = text("""
    UPDATE settlement SET state = :state,
        paid_at = CASE WHEN :state = 'paid' THEN clock_timestamp() END
    WHERE id = :id AND state <> 'open'
""")
_GET = text(f"SELECT {_COLUMNS} FROM settlement WHERE id = :id")  # noqa: S608 - as above
_LATEST = text(f"""
    SELECT {_COLUMNS} FROM settlement
    WHERE merchant_id = :merchant_id AND currency = :currency AND state <> 'open'
    ORDER BY period_end DESC LIMIT 1
""")  # noqa: S608 - as above
_LIST = f"""
    SELECT {_COLUMNS} FROM settlement
    WHERE {{whose}} AND (CAST(:state AS text) IS NULL OR state = :state)
        AND id < :before
    ORDER BY id DESC LIMIT :limit
"""  # noqa: S608 - as above
# Two statements: a condition that may be none has no index.
_LIST_ALL = text(_LIST.format(whose="true"))
_LIST_OF = text(_LIST.format(whose="merchant_id = :merchant_id"))
_NOW = text("SELECT clock_timestamp()")
# Only what became available of a sale names its line, and so what the sale was parted into.
_LINES = text("""
    SELECT line.position, line.transaction_id, line.line_no, line.balance_minor, posting.at,
        posting.amount_minor, posting.order_id, posting.sku, posting.channel_id,
        named.name AS channel_name, transaction.source, transaction.description,
        split.gross_minor, split.channel_fee_minor, split.platform_minor
    FROM settlement_line AS line
    JOIN posting ON posting.transaction_id = line.transaction_id
        AND posting.line_no = line.line_no
    JOIN transaction ON transaction.id = line.transaction_id
    LEFT JOIN channel_name AS named ON named.channel_id = posting.channel_id
        AND named.merchant_id = posting.merchant_id
    LEFT JOIN split ON split.line_id = CASE WHEN transaction.source LIKE 'split-released:%'
        THEN substr(transaction.source, 16)::uuid END
    WHERE line.settlement_id = :id AND line.position > :after
    ORDER BY line.position LIMIT :limit
""")
_TOTALS = text("""
    SELECT split_part(transaction.source, ':', 1) AS cause, count(*) AS lines,
        sum(posting.amount_minor) AS amount_minor
    FROM settlement_line AS line
    JOIN posting ON posting.transaction_id = line.transaction_id
        AND posting.line_no = line.line_no
    JOIN transaction ON transaction.id = line.transaction_id
    WHERE line.settlement_id = :id
    GROUP BY 1 ORDER BY 1
""")


class SettlementRepository:
    async def now(self, tx: Transaction) -> datetime:
        moment: datetime = (await tx.execute(_NOW)).scalar_one()
        return moment

    async def to_settle(
        self, tx: Transaction, period_end: datetime, merchant_id: UUID | None, limit: int
    ) -> list[tuple[Preview, datetime | None]]:
        """(what would be settled, end of the settlement before)."""
        rows = await tx.execute(
            _TO_SETTLE_UNTIL,
            {
                "period_end": period_end,
                "merchant_id": merchant_id,
                "available": SETTLEMENT_AVAILABLE.code,
                "limit": limit,
            },
        )
        return [(_to_preview(row), row.period_start) for row in rows]

    async def to_look_at(self, tx: Transaction) -> list[tuple[UUID, str]]:
        """(merchant, currency) of all who have a balance and no settlement under way."""
        rows = await tx.execute(_TO_LOOK_AT, {"available": SETTLEMENT_AVAILABLE.code})
        return [(row.merchant_id, row.currency) for row in rows]

    async def to_settle_each(
        self, tx: Transaction, ends: Mapping[tuple[UUID, str], datetime], limit: int
    ) -> list[tuple[Preview, datetime | None]]:
        """As `to_settle`, for these merchants and currencies, each with a period of its own."""
        await tx.execute(_PATIENT)
        rows = await tx.execute(
            _TO_SETTLE_EACH,
            {
                "merchants": [merchant for merchant, _ in ends],
                "currencies": [currency for _, currency in ends],
                "ends": list(ends.values()),
                "available": SETTLEMENT_AVAILABLE.code,
                "limit": limit,
            },
        )
        return [(_to_preview(row), row.period_start) for row in rows]

    async def add(self, tx: Transaction, settlements: Sequence[Settlement]) -> None:
        """Opens those of periods that are not settled and not under way, unless another settlement
        has come since the one they follow.
        """
        await tx.execute(
            _ADD,
            {
                "created_by": settlements[0].created_by,
                "ids": [it.id for it in settlements],
                "merchants": [it.merchant_id for it in settlements],
                "currencies": [it.currency for it in settlements],
                "starts": [it.period_start for it in settlements],
                "ends": [it.period_end for it in settlements],
                "openings": [it.opening_minor for it in settlements],
                "dues": [it.due_on for it in settlements],
                "payout_mins": [it.payout_min_minor for it in settlements],
            },
        )

    async def of_period(
        self, tx: Transaction, period_end: datetime, merchant_id: UUID | None, limit: int
    ) -> list[Settlement]:
        values = {"period_end": period_end, "merchant_id": merchant_id, "limit": limit}
        return [_to_settlement(row) for row in await tx.execute(_OF_PERIOD, values)]

    async def take_open(self, tx: Transaction) -> Settlement | None:
        row = (await tx.execute(_TAKE_OPEN)).one_or_none()
        return None if row is None else _to_settlement(row)

    async def collect(self, tx: Transaction, settlement: Settlement, limit: int) -> int:
        """Puts postings that are in no settlement into this one; how many."""
        await tx.execute(_PATIENT)
        rows = await tx.execute(
            _COLLECT,
            {
                "id": settlement.id,
                "merchant_id": settlement.merchant_id,
                "currency": settlement.currency,
                "available": SETTLEMENT_AVAILABLE.code,
                "period_end": settlement.period_end,
                "lines": settlement.lines,
                "balance": settlement.closing_minor,
                "limit": limit,
            },
        )
        return int(rows.scalar_one())

    async def close(
        self, tx: Transaction, settlement_id: UUID, payout_id: UUID | None
    ) -> Settlement:
        rows = await tx.execute(_CLOSE, {"id": settlement_id, "payout_id": payout_id})
        return _to_settlement(rows.one())

    async def follow(self, tx: Transaction, settlement_id: UUID, state: SettlementState) -> None:
        await tx.execute(_FOLLOW, {"id": settlement_id, "state": state.value})

    async def find(self, tx: Transaction, settlement_id: UUID) -> Settlement | None:
        row = (await tx.execute(_GET, {"id": settlement_id})).one_or_none()
        return None if row is None else _to_settlement(row)

    async def find_latest(
        self, tx: Transaction, merchant_id: UUID, currency: str
    ) -> Settlement | None:
        """The last one that is closed."""
        values = {"merchant_id": merchant_id, "currency": currency}
        row = (await tx.execute(_LATEST, values)).one_or_none()
        return None if row is None else _to_settlement(row)

    async def list_settlements(
        self,
        tx: Transaction,
        merchant_id: UUID | None,
        *,
        state: SettlementState | None,
        before: UUID | None,
        limit: int,
    ) -> list[Settlement]:
        values = {
            "state": state.value if state else None,
            "before": before or LAST_ID,
            "limit": limit,
        }
        if merchant_id is None:
            rows = await tx.execute(_LIST_ALL, values)
        else:
            rows = await tx.execute(_LIST_OF, {**values, "merchant_id": merchant_id})
        return [_to_settlement(row) for row in rows]

    async def list_lines(
        self, tx: Transaction, settlement_id: UUID, *, after: int, limit: int
    ) -> list[SettlementLine]:
        """In their order, those after the position."""
        values = {"id": settlement_id, "after": after, "limit": limit}
        return [_to_line(row) for row in await tx.execute(_LINES, values)]

    async def totals(self, tx: Transaction, settlement_id: UUID) -> list[Totals]:
        rows = await tx.execute(_TOTALS, {"id": settlement_id})
        return [
            Totals(kind=kind_of(row.cause), lines=row.lines, amount_minor=int(row.amount_minor))
            for row in rows
        ]


def _to_preview(row: Any) -> Preview:
    return Preview(
        merchant_id=row.merchant_id,
        currency=row.currency,
        opening_minor=int(row.opening_minor),
        closing_minor=int(row.opening_minor + row.total_minor),
        lines=row.lines,
    )


def _to_settlement(row: Any) -> Settlement:
    return Settlement(
        id=row.id,
        merchant_id=row.merchant_id,
        currency=row.currency,
        period_start=row.period_start,
        period_end=row.period_end,
        state=SettlementState(row.state),
        opening_minor=row.opening_minor,
        closing_minor=row.closing_minor,
        lines=row.lines,
        due_on=row.due_on,
        payout_min_minor=row.payout_min_minor,
        payout_id=row.payout_id,
        created_by=row.created_by,
        created_at=row.created_at,
        closed_at=row.closed_at,
        paid_at=row.paid_at,
    )


def _to_line(row: Any) -> SettlementLine:
    return SettlementLine(
        position=row.position,
        at=row.at,
        kind=kind_of(row.source),
        description=row.description,
        transaction_id=row.transaction_id,
        line_no=row.line_no,
        order_id=row.order_id,
        channel_id=row.channel_id,
        channel_name=row.channel_name,
        sku=row.sku,
        gross_minor=row.gross_minor,
        channel_fee_minor=row.channel_fee_minor,
        platform_minor=row.platform_minor,
        amount_minor=row.amount_minor,
        balance_minor=row.balance_minor,
    )
