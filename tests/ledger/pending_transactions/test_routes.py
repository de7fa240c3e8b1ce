"""Reserved, then posted or voided; what is never overdrawn never is, however many try."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from tests.ledger.factories import MERCHANT
from tests.ledger.transactions.test_routes import a_posting
from tests.stack.api import ApiClient

ACCOUNTS: tuple[dict[str, Any], ...] = (
    {"code": "bank:ccb", "kind": "asset"},
    {"code": "wallet:p1", "kind": "liability", "never_overdrawn": True},
    {"code": "sales", "kind": "income"},
)


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    """A wallet with 1,000 on it."""
    client = await api("ledger:read", "ledger:write")
    for account in ACCOUNTS:
        opened = await client.post("/v1/accounts", json={"currency": "CNY", **account})
        assert opened.status_code == 201, opened.text
    paid_in = await client.post(
        "/v1/transactions", json=move("bank:ccb", "wallet:p1", 1_000, "paid in")
    )
    assert paid_in.status_code == 201, paid_in.text
    return client


def move(debit: str, credit: str, amount: int, description: str = "x") -> dict[str, Any]:
    return {
        "description": description,
        "postings": [a_posting(debit, "debit", amount), a_posting(credit, "credit", amount)],
    }


async def reserve(client: httpx.AsyncClient, amount: int) -> httpx.Response:
    return await client.post("/v1/pending-transactions", json=move("wallet:p1", "sales", amount))


async def wallet(client: httpx.AsyncClient) -> tuple[int, int, int]:
    """What is on it, what is reserved of it, what is available."""
    items = (await client.get("/v1/accounts", params={"parent": "wallet"})).json()["items"]
    (found,) = items
    return -found["balance"], found["pending_debit"], found["available"]


async def test_what_is_reserved_is_not_moved_and_not_available(client: httpx.AsyncClient) -> None:
    pending = await reserve(client, 300)
    assert (pending.status_code, pending.json()["state"]) == (201, "pending")
    assert await wallet(client) == (1_000, 300, 700)
    read = await client.get(pending.headers["Location"])
    assert read.json() == pending.json()


async def test_what_is_posted_is_moved_once(client: httpx.AsyncClient) -> None:
    pending = (await reserve(client, 300)).json()["id"]
    posted = await client.post(f"/v1/pending-transactions/{pending}/post", json={})
    assert posted.status_code == 201, posted.text
    assert await wallet(client) == (700, 0, 700)
    read = (await client.get(f"/v1/pending-transactions/{pending}")).json()
    assert (read["state"], read["transaction_id"]) == ("posted", posted.json()["id"])
    again = await client.post(f"/v1/pending-transactions/{pending}/post", json={})
    assert (again.status_code, again.json()["code"]) == (409, "pending_transaction_resolved")


async def test_less_than_was_reserved_can_be_posted(client: httpx.AsyncClient) -> None:
    pending = (await reserve(client, 300)).json()["id"]
    used = {"postings": move("wallet:p1", "sales", 120)["postings"]}
    posted = await client.post(f"/v1/pending-transactions/{pending}/post", json=used)
    assert posted.status_code == 201, posted.text
    assert await wallet(client) == (880, 0, 880)


async def test_what_is_voided_is_free_again_and_stays_on_record(client: httpx.AsyncClient) -> None:
    pending = (await reserve(client, 300)).json()["id"]
    voided = await client.post(
        f"/v1/pending-transactions/{pending}/void", json={"reason": "the order failed"}
    )
    assert (voided.status_code, voided.json()["state"]) == (201, "voided")
    assert await wallet(client) == (1_000, 0, 1_000)
    posted = await client.post(f"/v1/pending-transactions/{pending}/post", json={})
    assert posted.status_code == 409
    listed = await client.get("/v1/pending-transactions", params={"state": "voided"})
    assert [it["reason"] for it in listed.json()["items"]] == ["the order failed"]


async def test_nothing_beyond_what_is_available_is_reserved_or_posted(
    client: httpx.AsyncClient,
) -> None:
    assert (await reserve(client, 700)).status_code == 201
    refused = await reserve(client, 301)
    assert (refused.status_code, refused.json()["code"]) == (409, "account_overdrawn")
    by_hand = await client.post("/v1/transactions", json=move("wallet:p1", "sales", 301))
    assert (by_hand.status_code, by_hand.json()["code"]) == (409, "account_overdrawn")
    assert (await reserve(client, 300)).status_code == 201
    assert await wallet(client) == (1_000, 1_000, 0)


async def test_what_was_reserved_can_be_posted_to_the_last_cent(client: httpx.AsyncClient) -> None:
    pending = (await reserve(client, 1_000)).json()["id"]
    posted = await client.post(f"/v1/pending-transactions/{pending}/post", json={})
    assert posted.status_code == 201, posted.text
    assert await wallet(client) == (0, 0, 0)


@pytest.mark.parametrize("code", ["revenue", "wallet:nobody"])
async def test_it_is_posted_to_accounts_only_that_somebody_opened(
    client: httpx.AsyncClient, code: str
) -> None:
    pending = (await reserve(client, 300)).json()["id"]
    postings = move("wallet:p1", code, 200)["postings"]
    path = f"/v1/pending-transactions/{pending}/post"
    refused = await client.post(path, json={"postings": postings})
    assert (refused.status_code, refused.json()["code"]) == (422, "account_unknown")
    assert refused.json()["errors"][0]["pointer"] == "/postings/1/account"
    accounts = (await client.get("/v1/accounts")).json()["items"]
    assert code not in {account["code"] for account in accounts}
    assert await wallet(client) == (1_000, 300, 700)


async def test_of_many_who_reserve_at_once_only_those_get_it_that_it_lasts_for(
    client: httpx.AsyncClient,
) -> None:
    answers = await asyncio.gather(*(reserve(client, 90) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] * 11 + [409] * 9
    assert await wallet(client) == (1_000, 990, 10)


async def test_posting_and_voiding_at_once_is_one_of_the_two(client: httpx.AsyncClient) -> None:
    for _ in range(3):
        pending = (await reserve(client, 100)).json()["id"]
        path = f"/v1/pending-transactions/{pending}"
        answers = await asyncio.gather(
            client.post(f"{path}/post", json={}),
            client.post(f"{path}/void", json={"reason": "x"}),
            client.post(f"{path}/post", json={}),
        )
        assert sum(answer.is_success for answer in answers) == 1
    on_it, reserved, available = await wallet(client)
    assert (reserved, on_it) == (0, available)


async def test_an_unbalanced_reservation_is_refused(
    client: httpx.AsyncClient, db: Database
) -> None:
    body = move("wallet:p1", "sales", 5)
    body["postings"][0]["amount"]["amount"] = 6
    refused = await client.post("/v1/pending-transactions", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "unbalanced")
    account = (await client.get("/v1/accounts")).json()["items"][0]["id"]
    with pytest.raises(DBAPIError, match="does not balance"):
        await write_one_side(db, account)


async def write_one_side(db: Database, account: str) -> None:
    """As a careless program would."""
    pending = new_id()
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO pending_transaction (id, merchant_id, source, at, description) "
                "VALUES (:id, :merchant, 'x', now(), 'x')"
            ),
            {"id": pending, "merchant": MERCHANT},
        )
        await tx.execute(
            text(
                "INSERT INTO pending_posting (pending_id, line_no, account_id, amount_minor) "
                "VALUES (:id, 1, :account, 5)"
            ),
            {"id": pending, "account": account},
        )


async def test_the_database_refuses_to_change_what_was_resolved(
    client: httpx.AsyncClient, db: Database
) -> None:
    pending = (await reserve(client, 300)).json()["id"]
    await client.post(f"/v1/pending-transactions/{pending}/void", json={"reason": "x"})
    for change in (
        "UPDATE pending_transaction SET state = 'pending', resolved_at = NULL",
        "DELETE FROM pending_transaction",
        "UPDATE pending_posting SET amount_minor = 1",
    ):
        with pytest.raises(DBAPIError, match=r"once|never changed"):
            async with db.transaction() as tx:
                await tx.execute(text(change))


async def test_a_source_is_reserved_once(client: httpx.AsyncClient, service: Service) -> None:
    body = {**move("wallet:p1", "sales", 5), "reference": "order-7"}
    assert (await client.post("/v1/pending-transactions", json=body)).status_code == 201
    again = await client.post("/v1/pending-transactions", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "already_posted")
