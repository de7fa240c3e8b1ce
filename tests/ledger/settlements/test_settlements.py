"""Runs: once per merchant, currency and period, whoever calls and whatever crashes."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import MERCHANT, OTHER_MERCHANT
from tests.ledger.settling import (
    LONG_AGO,
    a_sale,
    agree,
    close_all,
    let_time_pass,
    money_back,
    platform,
    put_payee,
    settle,
    terms,
)
from tests.stack.api import ApiClient
from tests.stack.nursery import forked

PATH = "/v1/settlements"
MERCHANTS = 40
LOOKS_MAX = 3_000
PATIENCE_SECONDS = 0.02


async def test_a_preview_says_what_a_run_would_settle_and_writes_nothing(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await _earn(service, deliver, 10_000)
    operator = await platform(api)
    body = {"period_end": _now()}

    seen = [(await operator.post(f"{PATH}/preview", json=body)).json()["items"] for _ in range(2)]

    assert seen[0] == seen[1]
    assert seen[0] == [
        {
            "merchant_id": str(MERCHANT),
            "currency": "CNY",
            "opening": 0,
            "closing": 9_500,
            "lines": 1,
        }
    ]
    assert (await operator.get(PATH)).json()["items"] == []


async def test_a_run_closes_each_merchant_and_proposes_its_payout(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await _earn(service, deliver, 10_000)
    await _earn(service, deliver, 2_000, merchant_id=OTHER_MERCHANT)

    settled = await settle(service, api)

    assert [(it["state"], it["closing"]) for it in settled] == [
        ("closed", 9_500),
        ("closed", 1_900),
    ]
    payouts = (await (await platform(api)).get("/v1/payouts")).json()["items"]
    assert {it["settlement_id"]: it["amount"] for it in payouts} == {
        it["id"]: it["closing"] for it in settled
    }


async def test_a_run_happens_once_for_a_period_however_often_it_is_called(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await _earn(service, deliver, 10_000)
    operators = [await platform(api) for _ in range(8)]
    body = {"period_end": _now()}

    answers = await asyncio.gather(*(it.post(PATH, json=body) for it in operators))
    await asyncio.gather(*(close_all(service) for _ in range(4)))
    again = (await operators[0].post(PATH, json=body)).json()["items"]

    assert {answer.status_code for answer in answers} == {202}
    assert len(again) == 1
    assert len((await operators[0].get("/v1/payouts")).json()["items"]) == 1
    assert len((await operators[0].get(PATH)).json()["items"]) == 1


async def test_the_next_period_opens_with_what_the_last_closed_with(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await _earn(service, deliver, 10_000)
    first = (await settle(service, api))[0]
    await _earn(service, deliver, 1_000)

    second = (await settle(service, api))[0]

    assert second["opening"] == first["closing"] == 9_500
    assert second["closing"] == 10_450
    assert second["period_start"] == first["period_end"]
    assert second["lines"] == 1


async def test_what_is_told_late_is_in_the_next_settlement(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    sale = await _earn(service, deliver, 10_000)
    await settle(service, api)

    await deliver(money_back(sale, 1_000, at=LONG_AGO + timedelta(hours=1)))
    second = (await settle(service, api))[0]

    assert (second["opening"], second["closing"], second["lines"]) == (9_500, 8_550, 1)


async def test_a_debt_is_carried_over_and_paid_by_later_sales(
    service: Service, deliver: Deliver, api: ApiClient, balances: Balances
) -> None:
    sale = await _earn(service, deliver, 1_000)
    first = (await settle(service, api))[0]
    await _pay(api, first["payout_id"])
    await deliver(money_back(sale, 1_000))
    indebted = (await settle(service, api))[0]
    assert (indebted["closing"], indebted["payout_id"]) == (-950, None)

    await _earn(service, deliver, 3_000)
    last = (await settle(service, api))[0]

    assert (last["opening"], last["closing"]) == (-950, 1_900)
    payout = (await (await platform(api)).get(f"/v1/payouts/{last['payout_id']}")).json()
    assert payout["amount"] == 1_900
    assert (await balances())["settlement:available", "CNY"] == 1_900


async def test_less_than_the_minimum_is_carried_over(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await agree(service, terms(payout_min_minor=5_000))
    await _earn(service, deliver, 5_000)

    small = (await settle(service, api))[0]
    await _earn(service, deliver, 1_000)
    large = (await settle(service, api))[0]

    assert (small["closing"], small["payout_id"]) == (4_750, None)
    assert large["payout_id"] is not None


async def test_only_rules_in_force_say_how_little_is_carried_over(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    high = terms(payout_min_minor=5_000)
    await agree(service, terms(), merchant_id=None)
    await agree(service, high)
    await agree(service, high, is_enabled=False)
    await agree(service, high, merchant_id=None, valid_from=datetime.now(UTC) + timedelta(days=1))
    await _earn(service, deliver, 1_000)

    settled = (await settle(service, api))[0]

    assert settled["payout_id"] is not None


async def test_a_settlement_is_paid_when_its_payout_is_and_closed_again_when_that_comes_back(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await _earn(service, deliver, 1_000)
    settled = (await settle(service, api))[0]
    merchant = await api("ledger:read")

    await _pay(api, settled["payout_id"])
    paid = (await merchant.get(f"{PATH}/{settled['id']}")).json()
    operator = await platform(api)
    reason = {"reason": "account closed"}
    await operator.post(f"/v1/payouts/{settled['payout_id']}/return", json=reason)
    returned = (await merchant.get(f"{PATH}/{settled['id']}")).json()

    assert (paid["state"], returned["state"]) == ("paid", "closed")
    assert (paid["paid_at"] is None, returned["paid_at"]) == (False, None)


async def test_a_period_that_is_not_over_is_not_settled(api: ApiClient) -> None:
    operator = await platform(api)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    answers = [
        await operator.post(path, json={"period_end": tomorrow})
        for path in (PATH, f"{PATH}/preview")
    ]

    assert [(it.status_code, it.json()["code"]) for it in answers] == [(422, "period_not_over")] * 2


async def test_a_merchant_runs_nothing_and_sees_its_own_alone(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await _earn(service, deliver, 1_000)
    settled = (await settle(service, api))[0]
    other = await api("ledger:read", "ledger:write", merchant_id=OTHER_MERCHANT)

    assert (await other.post(PATH, json={"period_end": _now()})).status_code == 403
    assert (await other.get(f"{PATH}/{settled['id']}")).status_code == 404
    assert (await other.get(PATH)).json()["items"] == []


async def test_closing_is_told_once(
    service: Service, deliver: Deliver, api: ApiClient, db: Database
) -> None:
    await _earn(service, deliver, 1_000)

    settled = (await settle(service, api))[0]
    await settle(service, api)

    assert await _told(db) == [settled["id"]]


async def test_a_run_that_is_killed_goes_on_and_ends_once(
    service: Service, deliver: Deliver, api: ApiClient, db: Database, ledger_database: str
) -> None:
    await agree(service, terms(), merchant_id=None)
    merchants = [new_id() for _ in range(MERCHANTS)]
    await deliver(*(a_sale(1_000, 500, merchant_id=merchant) for merchant in merchants))
    await let_time_pass(service)
    await (await platform(api)).post(PATH, json={"period_end": _now()})

    for share in (4, 2):
        await _kill_when(db, ledger_database, MERCHANTS // share)
    await close_all(service)

    async with db.read() as tx:
        rows = (await tx.execute(_CLOSED)).all()
    assert len(rows) == MERCHANTS
    assert {(row.closing_minor, row.lines, row.payouts) for row in rows} == {(1_425, 2, 1)}
    told = await _told(db)
    assert len(told) == len(set(told)) == MERCHANTS


async def _earn(
    service: Service, deliver: Deliver, amount: int, *, merchant_id: UUID = MERCHANT
) -> Any:
    """A sale that is available, at five percent."""
    async with service.db.read() as tx:
        rules = await service.state["settlement_rules"].rules_of(tx, [merchant_id])
    if not rules:
        await agree(service, terms(), merchant_id=None)
    sale = a_sale(amount, merchant_id=merchant_id)
    await deliver(sale)
    await let_time_pass(service)
    return sale


async def _pay(api: ApiClient, payout_id: str) -> None:
    await put_payee(api)
    operator = await platform(api)
    for step in ("approve", "sent", "paid"):
        answer = await operator.post(f"/v1/payouts/{payout_id}/{step}")
        assert answer.status_code == 200, answer.text


async def _kill_when(db: Database, url: str, closed: int) -> None:
    """Lets a process close settlements and kills it when so many are closed."""
    closer = forked("tests.ledger.settlements.closer", url, imports=["ledger.app"], env=os.environ)
    async with closer:
        for _ in range(LOOKS_MAX):
            if await _closed(db) >= closed:
                break
            await asyncio.sleep(PATIENCE_SECONDS)


async def _closed(db: Database) -> int:
    async with db.read() as tx:
        query = text("SELECT count(*) FROM settlement WHERE state = 'closed'")
        return int((await tx.execute(query)).scalar_one())


async def _told(db: Database) -> list[str]:
    async with db.read() as tx:
        query = text("SELECT key FROM event_log WHERE topic = 'lockstock.ledger.settlement'")
        return list((await tx.execute(query)).scalars())


def _now() -> str:
    return datetime.now(UTC).isoformat()


_CLOSED = text("""
    SELECT closing_minor, lines,
        (SELECT count(*) FROM payout WHERE payout.settlement_id = settlement.id) AS payouts
    FROM settlement WHERE state = 'closed'
""")
