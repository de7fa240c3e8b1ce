from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from kit.db import Transaction
from kit.ids import new_id
from risk.backtests.domain import (
    ATTEMPTS_MAX,
    GIVEN_UP,
    Backtest,
    BacktestStatus,
    PastOrder,
    Question,
)
from risk.facts import Catalogue, FactValue
from risk.labels.domain import BAD
from risk.reviews.domain import TIME_LIMIT
from risk.rules.domain import Action

LEASE_SECONDS = 60
_COLUMNS = """id, merchant_id, rule_id, rule_version, condition, action, since, until, author,
    status, done, total, report, problem, created_at, ended_at"""
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('backtests:' || :merchant_id, 0))")
_UNDER_WAY = text("""
    SELECT count(*) FROM backtest
    WHERE merchant_id = :merchant_id AND status IN ('queued', 'running')
""")
_INSERT = text(f"""
    INSERT INTO backtest (id, merchant_id, rule_id, rule_version, condition, action, since, until,
        author)
    VALUES (:id, :merchant_id, :rule_id, :rule_version, :condition, :action, :since, :until,
        :author)
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_TAKE = text(f"""
    WITH given_up AS (
        UPDATE backtest SET status = 'failed', problem = :given_up,
            ended_at = clock_timestamp(), leased_until = NULL
        WHERE id IN (
            SELECT id FROM backtest WHERE status = 'running' AND attempts >= :attempts_max
                AND leased_until < clock_timestamp() FOR UPDATE SKIP LOCKED)
    )
    UPDATE backtest SET status = 'running', done = 0, attempts = attempts + 1,
        leased_until = clock_timestamp() + make_interval(secs => :lease)
    WHERE id = (
        SELECT id FROM backtest WHERE status IN ('queued', 'running')
            AND attempts < :attempts_max
            AND (leased_until IS NULL OR leased_until < clock_timestamp())
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_PROGRESS = text("""
    UPDATE backtest SET done = :done, total = :total,
        leased_until = clock_timestamp() + make_interval(secs => :lease)
    WHERE id = :id AND status = 'running'
""")
_END = text("""
    UPDATE backtest SET status = :status, report = CAST(:report AS jsonb), problem = :problem,
        done = CASE WHEN :status = 'completed' THEN total ELSE done END,
        ended_at = clock_timestamp(), leased_until = NULL
    WHERE id = :id AND status = 'running'
""")
_GET = text(f"""
    SELECT {_COLUMNS} FROM backtest WHERE merchant_id = :merchant_id AND id = :id
""")  # noqa: S608 - made of constants above
_LIST = text(f"""
    SELECT {_COLUMNS} FROM backtest
    WHERE merchant_id = :merchant_id AND (CAST(:before AS uuid) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit
""")  # noqa: S608 - made of constants above
# The order of recording, 16 bytes each: a million purchases are 16 MB.
_IDS = text("""
    SELECT string_agg(uuid_send(id), ''::bytea ORDER BY seq) AS ids,
        coalesce(bool_or(is_forgotten), false) AS is_partly_forgotten FROM purchase
    WHERE merchant_id = :merchant_id AND at >= :since AND at < :until
""")
_BAD = ", ".join(f"'{kind}'" for kind in BAD)


class BacktestRepository:
    async def lock_count(self, tx: Transaction, merchant_id: UUID) -> int:
        """How many of the merchant's are under way; nobody else adds one meanwhile."""
        await tx.execute(_LOCK, {"merchant_id": str(merchant_id)})
        return int((await tx.execute(_UNDER_WAY, {"merchant_id": merchant_id})).scalar_one())

    async def add(
        self, tx: Transaction, merchant_id: UUID, question: Question, *, author: str
    ) -> Backtest:
        values = {
            "id": new_id(),
            "merchant_id": merchant_id,
            "rule_id": question.rule_id,
            "rule_version": question.rule_version,
            "condition": question.condition,
            "action": question.action.value,
            "since": question.since,
            "until": question.until,
            "author": author,
        }
        return _to_domain((await tx.execute(_INSERT, values)).one())

    async def take(self, tx: Transaction) -> Backtest | None:
        """One that waits, or whose runner is gone; from its beginning. One that was begun too often
        ends as failed.
        """
        values = {
            "lease": LEASE_SECONDS,
            "attempts_max": ATTEMPTS_MAX,
            "given_up": GIVEN_UP,
        }
        row = (await tx.execute(_TAKE, values)).one_or_none()
        return None if row is None else _to_domain(row)

    async def progress(self, tx: Transaction, backtest_id: UUID, done: int, total: int) -> None:
        """Says how far it is, and that it is still run."""
        values = {"id": backtest_id, "done": done, "total": total, "lease": LEASE_SECONDS}
        await tx.execute(_PROGRESS, values)

    async def end(
        self,
        tx: Transaction,
        backtest_id: UUID,
        status: BacktestStatus,
        *,
        report: dict[str, Any] | None = None,
        problem: str = "",
    ) -> None:
        document = None if report is None else orjson.dumps(report).decode()
        values = {"id": backtest_id, "status": status.value, "report": document}
        await tx.execute(_END, values | {"problem": problem})

    async def find(self, tx: Transaction, merchant_id: UUID, backtest_id: UUID) -> Backtest | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": backtest_id})
        row = rows.one_or_none()
        return None if row is None else _to_domain(row)

    async def list_backtests(
        self, tx: Transaction, merchant_id: UUID, *, before: UUID | None, limit: int
    ) -> list[Backtest]:
        """Newest first."""
        values = {"merchant_id": merchant_id, "before": before, "limit": limit}
        return [_to_domain(row) for row in await tx.execute(_LIST, values)]

    async def list_ids(
        self, tx: Transaction, merchant_id: UUID, since: datetime, until: datetime
    ) -> tuple[bytes, bool]:
        """Ids of the purchases of that time, 16 bytes each, in the order of their recording; and
        whether some are forgotten, which have their own columns still, and no products.
        """
        values = {"merchant_id": merchant_id, "since": since, "until": until}
        row = (await tx.execute(_IDS, values)).one()
        return bytes(row.ids or b""), row.is_partly_forgotten

    async def list_orders(
        self,
        tx: Transaction,
        ids: Sequence[UUID],
        catalogue: Catalogue,
        names: Sequence[str],
        *,
        with_products: bool,
    ) -> list[PastOrder]:
        """In the order of `ids`, with the facts of these names as they were recorded."""
        facts = {f"name_{number}": name for number, name in enumerate(names)}
        statement = _orders(len(names), with_products=with_products)
        rows = await tx.execute(statement, {"ids": list(ids), **facts})
        return [_order(row, catalogue, names) for row in rows]


def _orders(facts: int, *, with_products: bool) -> TextClause:
    recorded = ", ".join(f"a.facts -> CAST(:name_{number} AS text)" for number in range(facts))
    products = """(SELECT jsonb_agg(jsonb_build_array(pp.key, pp.quantity, pp.amount_minor))
        FROM purchase_product pp WHERE pp.purchase_id = p.id)"""
    return text(f"""
        SELECT p.id, p.source, p.at, p.amount_minor, p.quantity, p.currency, p.customer_id, p.ip,
            p.device_id, p.contact_hash, p.payer_hash, p.channel_id, a.decision,
            jsonb_build_array({recorded}) AS recorded,
            {products if with_products else "NULL::jsonb"} AS products,
            l.is_completed, l.labels, r.order_id IS NOT NULL AS is_declined
        FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS given(id, place)
        JOIN purchase p ON p.id = given.id
        LEFT JOIN assessment a ON a.purchase_id = p.id
        LEFT JOIN LATERAL (
            SELECT bool_or(kind = 'completed') AS is_completed,
                array_agg(DISTINCT kind) FILTER (WHERE kind IN ({_BAD})) AS labels
            FROM order_label WHERE order_id = p.id
        ) AS l ON true
        LEFT JOIN review r ON r.assessment_id = a.id AND r.status = 'declined'
            AND r.decided_by <> '{TIME_LIMIT}'
        ORDER BY given.place
    """)  # noqa: S608 - made of constants and numbers


def _order(row: Any, catalogue: Catalogue, names: Sequence[str]) -> PastOrder:  # an untyped row
    record = {
        name: value
        for name, value in zip(names, row.recorded or (), strict=False)
        if value is not None
    }
    return PastOrder(
        id=row.id,
        is_order=row.source == "order",
        at=row.at,
        amount_minor=row.amount_minor,
        quantity=row.quantity,
        currency=row.currency,
        customer_id=row.customer_id,
        ip=row.ip,
        device_id=row.device_id,
        contact_hash=row.contact_hash,
        payer_hash=row.payer_hash,
        channel_id=row.channel_id,
        products=tuple((key, quantity, amount) for key, quantity, amount in row.products or ()),
        decision=row.decision or "",
        recorded=_facts(catalogue, record),
        is_completed=bool(row.is_completed),
        labels=tuple(row.labels or ()),
        is_declined=row.is_declined,
    )


def _facts(catalogue: Catalogue, record: dict[str, Any]) -> dict[str, FactValue]:
    return dict(catalogue.recorded(record).values) if record else {}


def _to_domain(row: Any) -> Backtest:  # a row has no static type
    return Backtest(
        row.id,
        row.merchant_id,
        Question(
            row.condition,
            Action(row.action),
            row.since,
            row.until,
            row.rule_id,
            row.rule_version,
        ),
        BacktestStatus(row.status),
        row.author,
        row.done,
        row.total,
        row.report,
        row.problem,
        row.created_at,
        row.ended_at,
    )
