"""Settlements that nobody calls for: what T+n says is due, once, whoever else is at work."""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database, Transaction
from kit.ids import new_id
from kit.service import Service
from ledger.accounts.domain import SETTLEMENT_AVAILABLE, SETTLEMENT_PENDING
from ledger.app import create_service
from ledger.settings import Settings
from ledger.settlement_rules.domain import PayoutDays
from ledger.settlements.domain import Settlement
from ledger.settlements.repository import SettlementRepository
from ledger.settlements.service import SettlementService
from ledger.transactions.domain import Draft, Posting
from tests.ledger.factories import MERCHANT, OTHER_MERCHANT
from tests.ledger.settling import agree, close_all, platform, terms
from tests.stack.api import ApiClient
from tests.stack.nursery import forked

PATH = "/v1/settlements"
MERCHANTS = 24
LOOKS_MAX = 3_000
PATIENCE_SECONDS = 0.02


def on(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "now", "end"),
    [
        ({"payout_after_days": 1}, on(27, 15), on(27)),
        ({"payout_after_days": 1}, on(27), on(27)),
        ({"payout_after_days": 0}, on(27, 15), on(27)),
        ({"payout_after_days": 7}, on(27, 15), on(21)),
        # Friday's balance is due on Monday; over the weekend nothing new is.
        ({"payout_after_days": 1, "payout_days": PayoutDays.BUSINESS}, on(27, 15), on(27)),
        ({"payout_after_days": 1, "payout_days": PayoutDays.BUSINESS}, on(29, 15), on(27)),
        ({"payout_after_days": 1, "payout_days": PayoutDays.BUSINESS}, on(30, 15), on(30)),
        # The day is the zone's: at 15:59 UTC it is 23:59 in Shanghai.
        ({"time_zone": "Asia/Shanghai"}, on(27, 15), on(26, 16)),
        ({"time_zone": "Asia/Shanghai"}, on(27, 16), on(27, 16)),
    ],
)
def test_a_period_is_due_n_days_after_its_last_day(
    given: dict[str, Any], now: datetime, end: datetime
) -> None:
    assert terms(**given).due_period_end(now) == end


async def test_what_is_due_settles_by_itself_and_what_is_not_waits(
    service: Service, db: Database, api: ApiClient
) -> None:
    await agree(service, terms(payout_after_days=1))
    await agree(service, terms(payout_after_days=5), merchant_id=OTHER_MERCHANT)
    now = await _now(db)
    await _available(service, MERCHANT, 900, now - timedelta(days=2))
    await _available(service, MERCHANT, 70, now + timedelta(days=1))
    await _available(service, OTHER_MERCHANT, 500, now - timedelta(days=2))

    await _let_it_come_due(service)

    found = (await (await platform(api)).get(PATH)).json()["items"]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    assert [(it["merchant_id"], it["closing"]) for it in found] == [(str(MERCHANT), 900)]
    assert datetime.fromisoformat(found[0]["period_end"]) in (midnight, midnight + timedelta(1))
    assert found[0]["payout_id"] is not None


async def test_a_call_and_the_schedule_settle_a_period_once(
    service: Service, db: Database, api: ApiClient, ledger_database: str
) -> None:
    await agree(service, terms(), merchant_id=None)
    for merchant in (MERCHANT, OTHER_MERCHANT):
        await _available(service, merchant, 900, await _now(db) - timedelta(days=3))
    others = [_another(ledger_database) for _ in range(3)]
    operator = await platform(api)
    midnight = (await _now(db)).replace(hour=0, minute=0, second=0, microsecond=0)

    await asyncio.gather(
        *(_let_it_come_due(it) for it in (service, *others)),
        *(operator.post(PATH, json={"period_end": midnight.isoformat()}) for _ in range(2)),
    )
    await _let_it_come_due(others[0])
    for other in others:
        await other.db.close()

    rows = await _settled(db)
    assert [(row.closing_minor, row.lines, row.payouts) for row in rows] == [(900, 1, 1)] * 2
    assert len(await _told(db)) == 2


async def test_who_looked_before_another_period_was_settled_opens_nothing_on_its_balance(
    service: Service, db: Database
) -> None:
    await agree(service, terms())
    now = await _now(db)
    for days in (3, 2, 1):
        await _available(service, MERCHANT, 100, now - timedelta(days=days, hours=1))
    rules, payouts = service.state["settlement_rules"], service.state["payouts"]
    patient = _Patient()

    async def run(days: int, by: SettlementRepository) -> None:
        async with db.transaction() as tx:
            until = now - timedelta(days=days)
            await SettlementService(by, rules, payouts).run(tx, until, None, "key:a")

    slow = asyncio.create_task(run(1, patient))
    await patient.looked.wait()
    await run(2, SettlementRepository())
    await close_all(service)
    patient.go_on.set()
    await slow
    await close_all(service)
    await run(1, SettlementRepository())
    await close_all(service)

    async with db.read() as tx:
        query = text("SELECT opening_minor, closing_minor FROM settlement ORDER BY period_end")
        rows = [tuple(row) for row in await tx.execute(query)]
    assert rows == [(0, 200), (200, 300)]


async def test_a_worker_that_is_killed_leaves_each_settlement_to_the_next_once(
    service: Service, db: Database, ledger_database: str
) -> None:
    await agree(service, terms(), merchant_id=None)
    then = await _now(db) - timedelta(days=2)
    for merchant in [new_id() for _ in range(MERCHANTS)]:
        await _available(service, merchant, 1_425, then)

    for share in (4, 2):
        await _kill_when(db, ledger_database, MERCHANTS // share)
    await _let_it_come_due(service)

    rows = await _settled(db)
    assert len(rows) == MERCHANTS
    assert {(row.closing_minor, row.lines, row.payouts) for row in rows} == {(1_425, 1, 1)}
    told = await _told(db)
    assert len(told) == len(set(told)) == MERCHANTS


def test_the_schedule_can_be_turned_off(ledger_database: str) -> None:
    names = [
        {job.name for job in _another(ledger_database, settle_when_due=is_on).jobs}
        for is_on in (True, False)
    ]

    assert names[0] - names[1] == {"open_due_settlements"}


class _Patient(SettlementRepository):
    """Between looking and opening others come in."""

    def __init__(self) -> None:
        self.looked, self.go_on = asyncio.Event(), asyncio.Event()

    async def add(self, tx: Transaction, settlements: Sequence[Settlement]) -> None:
        self.looked.set()
        await self.go_on.wait()
        await super().add(tx, settlements)


def _another(url: str, **given: Any) -> Service:
    settings = Settings(
        database_url=url, kafka_bootstrap="127.0.0.1:1", internal_secret="s" * 32, **given
    )
    return create_service(settings)


async def _let_it_come_due(service: Service) -> None:
    async with service.db.transaction() as tx:
        await service.state["settlements"].run_due(tx)
    await close_all(service)


async def _available(service: Service, merchant: UUID, amount: int, at: datetime) -> None:
    draft = Draft(
        merchant_id=merchant,
        source=f"split-released:{new_id()}",
        at=at,
        description="Available",
        postings=[
            Posting(SETTLEMENT_AVAILABLE, "CNY", amount),
            Posting(SETTLEMENT_PENDING, "CNY", -amount),
        ],
    )
    async with service.db.transaction() as tx:
        await service.state["transactions"].post(tx, [draft])


async def _kill_when(db: Database, url: str, closed: int) -> None:
    """Lets a process settle what is due and kills it when so many are closed."""
    closer = forked("tests.ledger.settlements.closer", url, imports=["ledger.app"], env=os.environ)
    async with closer:
        for _ in range(LOOKS_MAX):
            if len(await _settled(db)) >= closed:
                break
            await asyncio.sleep(PATIENCE_SECONDS)


async def _now(db: Database) -> datetime:
    async with db.read() as tx:
        now: datetime = (await tx.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return now.astimezone(UTC)


async def _settled(db: Database) -> list[Any]:
    async with db.read() as tx:
        return list((await tx.execute(_CLOSED)).all())


async def _told(db: Database) -> list[str]:
    async with db.read() as tx:
        query = text("SELECT key FROM event_log WHERE topic = 'lockstock.ledger.settlement'")
        return list((await tx.execute(query)).scalars())


_CLOSED = text("""
    SELECT closing_minor, lines,
        (SELECT count(*) FROM payout WHERE payout.settlement_id = settlement.id) AS payouts
    FROM settlement WHERE state = 'closed'
""")
