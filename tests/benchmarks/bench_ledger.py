"""Posting to hot accounts: 32 writers, four postings each, all on the same few accounts.

(a) batches, as the consumers of events post them; (b) one transaction at a time, each with a commit
of its own; (c) a bare COPY of the very same rows into tables with the same keys and no triggers;
(d) taking them into the chain; (e) balances of the past. The hot accounts' balances must be exact.

BENCH_TRANSACTIONS and BENCH_TOGETHER change the size.
"""

import asyncio
import os
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text

from kit.ids import new_id
from kit.service import Service
from ledger.app import create_service
from ledger.settings import Settings
from tests.benchmarks.alone import own_database
from tests.benchmarks.results import save, say
from tests.ledger.factories import CHANNEL, MERCHANT, NOON
from tests.ledger.posting_rules.samples import RULES, paid_with_fee

TRANSACTIONS = int(os.environ.get("BENCH_TRANSACTIONS", "100000"))
TOGETHER = int(os.environ.get("BENCH_TOGETHER", "128"))
WRITERS = 32
SINGLES = 3_000
FEE = 7
DAYS = 30
_COPIED = ("transaction", "posting")


async def run() -> None:
    async with own_database("ledger") as url:
        settings = Settings(
            database_url=url,
            kafka_bootstrap="127.0.0.1:1",
            internal_secret="s" * 32,
            database_pool_size=WRITERS + 4,
        )
        service = create_service(settings)
        try:
            figures = await _measure(service, url.replace("+asyncpg", ""))
        finally:
            await service.db.close()
    for name, value in figures.items():
        say(f"{name:58} {value}")
    say(f"written to {save('ledger', figures)}")


async def _measure(service: Service, url: str) -> dict[str, Any]:
    await _post(service, _drafts(TOGETHER * 4), TOGETHER)  # accounts open, plans are made
    batched = await _post(service, _drafts(TRANSACTIONS), TOGETHER)
    single = await _post(service, _drafts(SINGLES), 1)
    await _check(service, TOGETHER * 4 + TRANSACTIONS + SINGLES)
    connection = await asyncpg.connect(url)
    try:
        copied = await _copy(connection)
    finally:
        await connection.close()
    chained = await _chain(service)
    past_ms = await _past(service)
    return {
        "transactions of 4 postings/s, 32 writers, batches (goal 5000)": round(batched),
        f"batch of a writer: {TOGETHER}; the same one at a time": round(single),
        "rows copied bare, transactions/s": round(copied),
        "posting, of a bare COPY of the same rows": round(batched / copied, 2),
        "transactions taken into the chain/s": round(chained),
        "p95 of a trial balance of the past, ms": round(past_ms, 1),
        "hot accounts' balances": "exact",
    }


def _drafts(count: int) -> list[Any]:
    """Order paid with a fee: 4 postings on 3 accounts."""
    drafts = []
    for place in range(count):
        event = paid_with_fee(FEE, order_id=new_id())
        draft = RULES["order_paid"](event)
        assert len(draft.postings) == 4
        drafts.append(_dated(draft, place))
    return drafts


def _dated(draft: Any, place: int) -> Any:
    return type(draft)(
        merchant_id=draft.merchant_id,
        source=draft.source,
        at=NOON - timedelta(seconds=place * DAYS * 86_400 // max(TRANSACTIONS, 1)),
        description=draft.description,
        postings=draft.postings,
    )


async def _post(service: Service, drafts: list[Any], together: int) -> float:
    """Transactions a second."""
    batches = [drafts[at : at + together] for at in range(0, len(drafts), together)]
    waiting = iter(batches)

    async def write() -> None:
        for batch in waiting:
            async with service.db.transaction() as tx:
                await service.state["transactions"].post(tx, batch)

    started = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    return len(drafts) / (time.perf_counter() - started)


async def _check(service: Service, transactions: int) -> None:
    async with service.db.read() as tx:
        rows = await tx.execute(_BALANCES, {"merchant": MERCHANT})
        found = {row.code: int(row.balance) for row in rows}
    expected = {
        "channel-fees": FEE * transactions,
        "customer-deposits": -10_000 * transactions,
        f"channel-clearing:{CHANNEL}": (10_000 - FEE) * transactions,
    }
    if found != expected:
        raise SystemExit(f"the balances are not exact: {found} instead of {expected}")


async def _copy(connection: asyncpg.Connection) -> float:
    """The same rows by COPY into tables with the same keys: transactions a second."""
    took = 0.0
    rows_of: dict[str, int] = {}
    for table in _COPIED:
        await connection.execute(
            f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES)"
        )
        rows = await connection.fetch(f"SELECT * FROM {table}")  # noqa: S608 - named above
        records = [tuple(row) for row in rows]
        rows_of[table] = len(records)
        started = time.perf_counter()
        await connection.copy_records_to_table(f"bare_{table}", records=records)
        took += time.perf_counter() - started
    return rows_of["transaction"] / took


async def _chain(service: Service) -> float:
    async with service.db.read() as tx:
        waiting = (await tx.execute(text("SELECT count(*) FROM unchained"))).scalar_one()
    started = time.perf_counter()
    while await service.state["chain"].chain_waiting():
        pass
    return float(waiting) / (time.perf_counter() - started)


async def _past(service: Service) -> float:
    took = []
    for step in range(60):
        at = NOON - timedelta(hours=step * 11)
        started = time.perf_counter()
        async with service.db.read() as tx:
            balance = await service.state["reports"].trial_balance(tx, UUID(str(MERCHANT)), at)
        took.append((time.perf_counter() - started) * 1_000)
        assert balance.is_balanced
    return sorted(took)[int(len(took) * 0.95)]


_BALANCES = text("""
    SELECT code, debit_minor - credit_minor AS balance
    FROM account JOIN account_balance ON account_id = account.id WHERE merchant_id = :merchant
""")
