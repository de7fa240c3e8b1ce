"""Closed books take no more postings, but nothing that happened is lost."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.db import Database
from kit.errors import Unavailable
from kit.ids import new_id
from kit.service import Service
from tests.ledger.conftest import Deliver
from tests.ledger.factories import MERCHANT, NOON, a_payment, cny
from tests.ledger.transactions.test_routes import a_transaction
from tests.stack.api import ApiClient

END = NOON + timedelta(hours=1)


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    client = await api("ledger:read", "ledger:write")
    for code, kind in (("bank:ccb", "asset"), ("owner-capital", "equity")):
        await client.post("/v1/accounts", json={"code": code, "currency": "CNY", "kind": kind})
    return client


async def close(client: httpx.AsyncClient, until: datetime = END) -> httpx.Response:
    body = {"until": until.isoformat(), "reason": "audited"}
    return await client.post("/v1/periods/close", json=body)


async def test_a_closed_period_takes_nothing_by_hand(client: httpx.AsyncClient) -> None:
    closed = await close(client)
    assert closed.status_code == 201, closed.text
    before = END - timedelta(microseconds=1)
    refused = await client.post("/v1/transactions", json=a_transaction(at=before.isoformat()))
    assert (refused.status_code, refused.json()["code"]) == (409, "period_closed")
    at_its_end = await client.post("/v1/transactions", json=a_transaction(at=END.isoformat()))
    assert at_its_end.status_code == 201


async def test_an_event_that_comes_late_counts_from_the_end_and_keeps_its_time(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await close(client)
    await deliver(a_payment(new_id(), cny(1990)))
    (posted,) = (await client.get("/v1/transactions")).json()["items"]
    assert datetime.fromisoformat(posted["at"]) == END
    assert datetime.fromisoformat(posted["occurred_at"]) == NOON


async def test_reopening_is_on_record_and_takes_postings_again(client: httpx.AsyncClient) -> None:
    await close(client)
    body = {"until": (END - timedelta(days=1)).isoformat(), "reason": "forgotten invoice"}
    opened = await client.post("/v1/periods/reopen", json=body)
    assert opened.status_code == 201
    posted = await client.post("/v1/transactions", json=a_transaction(at=NOON.isoformat()))
    assert posted.status_code == 201
    changes = (await client.get("/v1/periods")).json()["items"]
    assert [(it["action"], it["reason"]) for it in changes] == [
        ("reopen", "forgotten invoice"),
        ("close", "audited"),
    ]
    assert changes[0]["requested_by"]


@pytest.mark.parametrize("until", [END, END - timedelta(days=1), datetime(2200, 1, 1, tzinfo=UTC)])
async def test_closing_goes_forward_and_not_past_now(
    client: httpx.AsyncClient, until: datetime
) -> None:
    await close(client)
    refused = await close(client, until)
    assert (refused.status_code, refused.json()["code"]) == (422, "period_not_forward")


async def test_reopening_goes_back(client: httpx.AsyncClient) -> None:
    body = {"until": END.isoformat(), "reason": "x"}
    assert (await client.post("/v1/periods/reopen", json=body)).status_code == 422
    await close(client)
    refused = await client.post("/v1/periods/reopen", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "period_not_back")
    everything = await client.post("/v1/periods/reopen", json={"reason": "all"})
    assert everything.json()["closed_until"] is None


async def test_who_closes_while_many_post_leaves_nothing_dated_into_the_closed(
    client: httpx.AsyncClient, service: Service, deliver: Deliver, db: Database
) -> None:
    async def post() -> None:
        for _ in range(5):
            event = a_payment(new_id(), cny(1))
            try:
                await deliver(event)
            except Unavailable:  # closed in between: the consumer tries again
                await deliver(event)

    await asyncio.gather(*(post() for _ in range(6)), close(client))
    async with db.read() as tx:
        wrong = await tx.execute(
            text(
                "SELECT count(*) FROM transaction t JOIN period_change c USING (merchant_id) "
                "WHERE t.at < c.closed_until AND t.recorded_at > c.changed_at + interval '5 s'"
            )
        )
        assert wrong.scalar_one() == 0
        total = await tx.execute(text("SELECT count(*) FROM transaction"))
        assert total.scalar_one() == 30


async def test_the_database_refuses_what_a_program_dates_into_a_closed_period(
    client: httpx.AsyncClient, db: Database
) -> None:
    await close(client)
    with pytest.raises(Exception, match=r"closed period|busy") as caught:
        async with db.transaction() as tx:
            await tx.execute(
                text(
                    "INSERT INTO transaction (id, merchant_id, source, at, description) "
                    "VALUES (:id, :merchant, 'x', :at, 'x')"
                ),
                {"id": new_id(), "merchant": MERCHANT, "at": NOON},
            )
    assert not isinstance(caught.value, AssertionError)


async def test_a_record_of_closing_is_never_changed(
    client: httpx.AsyncClient, db: Database
) -> None:
    await close(client)
    with pytest.raises(DBAPIError, match="never changed"):
        async with db.transaction() as tx:
            await tx.execute(text("UPDATE period_change SET reason = 'nobody'"))
