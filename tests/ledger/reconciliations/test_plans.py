"""How a statement is compared does not depend on what statistics tell of its lists: nobody has
counted the lines of a file that has just come.
"""

import re
from typing import Any

from sqlalchemy import TextClause, text

from kit.db import Database
from kit.ids import new_id
from ledger.reconciliations.repository import LATE
from ledger.statement_comparison import DIFFERING, JOINING, OUTGOING, REMEMBERING, RESULTS
from tests.ledger.factories import CHANNEL, MERCHANT

ROWS = 2_000
_LISTS = "reconciliation_line, payment_fact, order_reference, money_out, money_out_listing"
_FILL = (
    """
    INSERT INTO payment_fact (event_id, merchant_id, channel_id, order_id, provider, reference,
        amount_minor, currency, happened_at)
    SELECT gen_random_uuid(), :merchant, :channel, gen_random_uuid(), 'alipay', n, 1, 'CNY',
        clock_timestamp() FROM generate_series(1, CAST(:rows AS int)) AS n
    """,
    """
    INSERT INTO money_out (event_id, kind, merchant_id, order_id, amount_minor, currency,
        happened_at)
    SELECT event_id, 'refund', merchant_id, order_id, 1, 'CNY', happened_at FROM payment_fact
    """,
    """
    INSERT INTO reconciliation (id, merchant_id, digest, provider, match_by, file_name)
    VALUES (:one, :merchant, '', 'alipay', 'payment', 'a.csv')
    """,
    """
    INSERT INTO reconciliation_line (reconciliation_id, line, reference, amount_minor, currency,
        refused)
    SELECT :one, n, n, 1 - n % 2 * 2, 'CNY', '' FROM generate_series(1, CAST(:rows AS int)) AS n
    """,
)


async def test_lists_are_joined_by_hash_whatever_is_known_of_them(db: Database) -> None:
    await _are_joined_by_hash(db)
    await _fill(db)
    await _are_joined_by_hash(db)
    # Many were there when somebody counted last.
    await _run(db, f"ANALYZE {_LISTS}")
    await _are_joined_by_hash(db)
    # There was nothing, and now there is a lot.
    for table in _LISTS.split(", "):
        await _run(db, f"DELETE FROM {table}")  # noqa: S608 - our own tables
    await _run(db, f"ANALYZE {_LISTS}")
    await _are_joined_by_hash(db)


async def _are_joined_by_hash(db: Database) -> None:
    for statement in (RESULTS, DIFFERING, OUTGOING, LATE):
        plan = await _explained(db, statement)
        assert "Nested Loop" not in plan, plan
        # What has a key is not looked for among all.
        assert not re.search(r"Filter: .*ANY \(\(InitPlan", plan), plan
        # A list that does not fit into memory is looked through for each row.
        assert not re.search(r"\(ANY .*(?<!hashed )SubPlan", plan), plan


async def _explained(db: Database, statement: TextClause) -> str:
    known = {
        "id": new_id(),
        "merchant_id": MERCHANT,
        "source": "provider:alipay",
        "pays_all": False,
        "limit": 200_000,
        "days": 3,
    }
    names = set(re.findall(r"(?<!:):([a-z_]+)", statement.text))
    async with db.transaction() as tx:
        for setting in (JOINING, REMEMBERING):
            await tx.execute(setting)
        values = {name: value for name, value in known.items() if name in names}
        rows = await tx.execute(text(f"EXPLAIN {statement.text}"), values)
        return "\n".join(row[0] for row in rows)


async def _fill(db: Database) -> None:
    values = {"merchant": MERCHANT, "channel": CHANNEL, "one": new_id(), "rows": ROWS}
    for sql in _FILL:
        await _run(db, sql, **{name: it for name, it in values.items() if f":{name}" in sql})


async def _run(db: Database, sql: str, **values: Any) -> None:
    typed = re.sub(r"(?<!:):(merchant|channel|one)\b", r"CAST(:\1 AS uuid)", sql)
    async with db.transaction() as tx:
        await tx.execute(text(typed), values)
