"""Shops that ask before they sell."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database, Transaction
from risk.rule_templates import DEFAULT_RULES
from tests.kit.messaging.stage import until
from tests.risk.conftest import Assess
from tests.risk.factories import IP, OTHER_MERCHANT, an_order
from tests.stack.api import ApiClient
from tests.stack.statements import noted_statements


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


def an_ask(reference: str = "shop-1", **changes: Any) -> dict[str, Any]:
    return {
        "reference": reference,
        "customer": {"id": "anna", "ip": IP},
        "total": {"amount": 1990, "currency": "CNY"},
        "lines": [{"sku": "STEAM-50", "quantity": 2}],
    } | changes


async def count(db: Database, table: str) -> int:
    async with db.read() as tx:
        return int((await tx.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())  # noqa: S608 - a test's own table names


async def somebody_waits(tx: Transaction) -> bool:
    """For a lock, in this database."""
    waiting = text("""
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE NOT granted AND datname = current_database()
    """)
    return bool((await tx.execute(waiting)).scalar_one())


async def test_an_answer_comes_at_once_and_nothing_is_recorded(
    client: httpx.AsyncClient, db: Database
) -> None:
    for _ in range(7):
        answer = await client.post("/v1/assessments", json=an_ask())

    assert answer.status_code == 200
    assert answer.json()["decision"] == "allow"
    assert answer.json()["id"] is None
    assert answer.json()["facts"]["purchases_by_ip_1h"] == 1
    assert await count(db, "purchase") == 0
    assert (await client.get("/v1/assessments")).json()["items"] == []


async def test_what_is_only_asked_takes_one_statement_once_the_merchant_has_its_rules(
    client: httpx.AsyncClient, db: Database
) -> None:
    first = await client.post("/v1/assessments", json=an_ask())
    rules = await count(db, "rule")
    await client.post("/v1/assessments", json=an_ask())

    with noted_statements() as noted:
        again = await client.post("/v1/assessments", json=an_ask())

    assert len(noted) == 1
    assert rules == len(DEFAULT_RULES)
    assert again.json()["facts"] | {"placed_at": ""} == first.json()["facts"] | {"placed_at": ""}


async def asked_behind_a_lock(
    clients: Sequence[httpx.AsyncClient], db: Database, name: str, *, has_key: bool
) -> tuple[list[httpx.Response], httpx.Response | None]:
    """What sixty are answered whose counts can be read only once somebody else has called, and what
    he was answered; None when he was not in time.
    """
    async with db.transaction() as tx:
        await tx.execute(text("LOCK TABLE velocity_key IN ACCESS EXCLUSIVE MODE"))
        asking = [
            asyncio.create_task(
                it.post(
                    "/v1/assessments",
                    json=an_ask(f"{name}-{number}"),
                    headers={"Idempotency-Key": f"{name}-{number}"} if has_key else {},
                )
            )
            for number in range(1, 31)
            for it in clients
        ]
        await until(partial(somebody_waits, tx), seconds=5, pause=0.01)
        try:
            async with asyncio.timeout(1.5):
                meanwhile = await clients[0].get("/v1/lists/block/entries")
        except TimeoutError:
            meanwhile = None
    return await asyncio.gather(*asking), meanwhile


@pytest.mark.parametrize("has_key", [False, True])
async def test_many_that_only_ask_leave_connections_to_others_and_are_each_counted_alone(
    client: httpx.AsyncClient, api: ApiClient, db: Database, *, has_key: bool
) -> None:
    other = await api("risk:write", merchant_id=OTHER_MERCHANT)
    for it in (client, other):
        await it.post("/v1/assessments", json=an_ask())
    await client.post("/v1/assessments", json=an_ask("shop-0", record=True))

    for turn in range(5):  # a machine that stood still for a second shows nothing
        asked, meanwhile = await asked_behind_a_lock(
            (client, other), db, f"turn-{turn}", has_key=has_key
        )
        if meanwhile is not None and all(it.status_code == 200 for it in asked):
            break

    assert meanwhile is not None
    assert meanwhile.status_code == 200
    facts = [it.json()["facts"] for it in asked]
    assert {it["purchases_by_ip_1h"] for it in facts[::2]} == {2}
    assert {it["earlier_purchases"] for it in facts[::2]} == {1}
    assert {it["purchases_by_ip_1h"] for it in facts[1::2]} == {1}
    assert {it["earlier_purchases"] for it in facts[1::2]} == {0}


async def test_recorded_purchases_count_with_those_of_orders(
    client: httpx.AsyncClient, db: Database, api: ApiClient
) -> None:
    answers = [
        (await client.post("/v1/assessments", json=an_ask(f"shop-{n}", record=True))).json()
        for n in range(6)
    ]

    assert [it["decision"] for it in answers] == ["allow"] * 5 + ["hold"]
    assert "purchases_by_ip_1h = 6" in answers[5]["reason"]
    assert answers[5]["facts"]["earlier_purchases"] == 5
    asked = await client.post("/v1/assessments", json=an_ask("shop-x"))
    assert asked.json()["facts"]["purchases_by_ip_1h"] == 7
    assert asked.json()["facts"]["earlier_purchases"] == 6
    # There is no order of ours to hold: the shop was told, and decides.
    assert await count(db, "review") == 0
    assert await count(db, "event_log") == 0


async def test_a_reference_is_recorded_once(client: httpx.AsyncClient, db: Database) -> None:
    answers = await asyncio.gather(
        *(client.post("/v1/assessments", json=an_ask(record=True)) for _ in range(10))
    )

    assert sorted(it.status_code for it in answers) == [200] + [409] * 9
    assert await count(db, "assessment") == 1


async def test_calls_that_come_together_share_transactions_and_are_counted_one_by_one(
    client: httpx.AsyncClient, db: Database
) -> None:
    references = [f"shop-{n}" for n in range(20)] + ["shop-0"]
    await client.post("/v1/assessments", json=an_ask("shop-first", record=True))

    with noted_statements() as noted:
        answers = await asyncio.gather(
            *(client.post("/v1/assessments", json=an_ask(it, record=True)) for it in references)
        )

    assert sorted(it.status_code for it in answers) == [200] * 20 + [409]
    done = [it.json() for it in answers if it.status_code == 200]
    assert sorted(it["facts"]["purchases_by_ip_1h"] for it in done) == list(range(2, 22))
    assert sum(it["decision"] == "allow" for it in done) == 4
    assert await count(db, "assessment") == 21
    # They come while the first is recorded, and then go together.
    assert len([sql for sql in noted if "INSERT INTO purchase " in sql]) < 20


async def test_assessments_are_read_back_by_order(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    order = an_order(ip="")
    await assess([an_order() for _ in range(6)])
    await assess([order])

    of_order = await client.get("/v1/assessments", params={"order_id": order.message.order_id})
    newest = await client.get("/v1/assessments", params={"limit": 2})
    everything = await client.get("/v1/assessments")

    (read,) = of_order.json()["items"]
    assert (read["decision"], read["order_id"]) == ("allow", order.message.order_id)
    assert newest.json()["items"][0] == read
    (held,) = (it for it in everything.json()["items"] if it["decision"] == "hold")
    assert held["rules"][0]["version"] == 1
    assert held["rules"][0]["values"] == {"purchases_by_ip_1h": 6}
    assert held["facts"]["purchases_by_ip_1h"] == 6
    assert newest.json()["next_cursor"] is not None


async def test_another_merchant_reads_nothing(api: ApiClient, assess: Assess) -> None:
    await assess([an_order()])
    stranger = await api("risk:read", merchant_id=OTHER_MERCHANT)

    assert (await stranger.get("/v1/assessments")).json()["items"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"total": {"amount": -1, "currency": "CNY"}}, "/total/amount"),
        ({"total": {"amount": 1, "currency": "yuan"}}, "/total/currency"),
        ({"lines": []}, "/lines"),
        ({"lines": [{"sku": "A", "quantity": 0}]}, "/lines/0/quantity"),
        ({"customer": {"email": "a@example.org"}}, "/customer/email"),
        ({"customer": {"id": "nul\x00"}}, "/customer/id"),
        ({"customer": {"registered_at": "yesterday"}}, "/customer/registered_at"),
        ({"reference": "a b"}, "/reference"),
    ],
)
async def test_bad_input_is_refused_by_name(
    client: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    refused = await client.post("/v1/assessments", json=an_ask(**change))

    assert refused.status_code == 422
    assert pointer in [it["pointer"] for it in refused.json()["errors"]]
