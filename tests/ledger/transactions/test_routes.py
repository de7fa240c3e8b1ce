"""The API as an operator uses it."""

import asyncio
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from tests.ledger.conftest import Deliver
from tests.ledger.factories import OTHER_MERCHANT, a_completion, a_cost, a_line, a_payment, cny
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    client = await api("ledger:read", "ledger:write")
    for code, kind in (("bank:ccb", "asset"), ("owner-capital", "equity")):
        opened = await client.post(
            "/v1/accounts", json={"code": code, "currency": "CNY", "kind": kind}
        )
        assert opened.status_code == 201, opened.text
    return client


def a_posting(account: str, side: str, amount: int, currency: str = "CNY") -> dict[str, Any]:
    return {"account": account, "side": side, "amount": {"amount": amount, "currency": currency}}


def a_transaction(**changes: Any) -> dict[str, Any]:
    return {
        "description": "Owner pays in",
        "postings": [
            a_posting("bank:ccb", "debit", 10_000),
            a_posting("owner-capital", "credit", 10_000),
        ],
    } | changes


async def test_a_transaction_by_hand_is_posted_and_read_back(client: httpx.AsyncClient) -> None:
    posted = await client.post("/v1/transactions", json=a_transaction())

    assert posted.status_code == 201
    read = await client.get(posted.headers["Location"])
    assert read.json() == posted.json()
    assert [(it["account"], it["kind"], it["side"]) for it in read.json()["postings"]] == [
        ("bank:ccb", "asset", "debit"),
        ("owner-capital", "equity", "credit"),
    ]


async def test_an_unbalanced_transaction_is_refused_with_its_difference(
    client: httpx.AsyncClient,
) -> None:
    body = a_transaction(
        postings=[
            a_posting("bank:ccb", "debit", 10_000),
            a_posting("owner-capital", "credit", 9_000),
        ]
    )

    refused = await client.post("/v1/transactions", json=body)

    assert refused.status_code == 422
    problem = refused.json()
    assert problem["code"] == "unbalanced"
    assert problem["differences"] == [{"currency": "CNY", "difference": 1000}]
    assert problem["errors"][0]["pointer"] == "/postings"


async def test_an_unknown_account_is_named(client: httpx.AsyncClient) -> None:
    body = a_transaction(
        postings=[a_posting("bank:ccb", "debit", 1), a_posting("nowhere", "credit", 1)]
    )

    refused = await client.post("/v1/transactions", json=body)

    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {
            "pointer": "/postings/1/account",
            "code": "account_unknown",
            "detail": "no account nowhere in CNY",
        }
    ]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"postings": [a_posting("bank:ccb", "debit", 0)] * 2}, "/postings/0/amount/amount"),
        ({"postings": [a_posting("bank:ccb", "debit", 1)]}, "/postings"),
        ({"postings": [a_posting("bank:ccb", "sideways", 1)] * 2}, "/postings/0/side"),
        ({"postings": [a_posting("bank:ccb", "debit", 10**14)] * 2}, "/postings/0/amount/amount"),
        ({"description": "nul\x00"}, "/description"),
        ({"at": "1066-10-14T09:00:00Z"}, "/at"),
        ({"note": "x"}, "/note"),
    ],
)
async def test_bad_input_is_refused_by_name(
    client: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    refused = await client.post("/v1/transactions", json=a_transaction(**change))

    assert refused.status_code == 422
    assert pointer in [it["pointer"] for it in refused.json()["errors"]]


async def test_a_reference_is_posted_once(client: httpx.AsyncClient) -> None:
    body = a_transaction(reference="payout-47")
    assert (await client.post("/v1/transactions", json=body)).status_code == 201

    again = await client.post("/v1/transactions", json=body)

    assert (again.status_code, again.json()["code"]) == (409, "already_posted")


async def test_a_repeat_with_its_idempotency_key_replays_the_answer(
    client: httpx.AsyncClient,
) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await client.post("/v1/transactions", json=a_transaction(), headers=headers)

    again = await client.post("/v1/transactions", json=a_transaction(), headers=headers)

    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_reversal_undoes_a_transaction_once(client: httpx.AsyncClient) -> None:
    posted = (await client.post("/v1/transactions", json=a_transaction())).json()
    url = f"/v1/transactions/{posted['id']}/reverse"

    answers = await asyncio.gather(
        *(client.post(url, json={"description": "Wrong account"}) for _ in range(10))
    )

    assert sorted(it.status_code for it in answers) == [201] + [409] * 9
    reversal = next(it.json() for it in answers if it.status_code == 201)
    assert reversal["reverses"] == posted["id"]
    assert [(it["account"], it["side"]) for it in reversal["postings"]] == [
        ("bank:ccb", "credit"),
        ("owner-capital", "debit"),
    ]
    read = (await client.get(f"/v1/transactions/{posted['id']}")).json()
    assert read["reversed_by"] == reversal["id"]
    balance = (await client.get("/v1/trial-balance")).json()
    assert [it["balance"] for it in balance["items"]] == [0, 0]


async def test_a_reversal_is_not_reversed(client: httpx.AsyncClient) -> None:
    posted = (await client.post("/v1/transactions", json=a_transaction())).json()
    body = {"description": "Wrong account"}
    reversal = await client.post(f"/v1/transactions/{posted['id']}/reverse", json=body)

    refused = await client.post(f"/v1/transactions/{reversal.json()['id']}/reverse", json=body)

    assert (refused.status_code, refused.json()["code"]) == (409, "reversal_of_reversal")


async def test_transactions_of_an_order_are_listed_newest_first(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    order, other = new_id(), new_id()
    await deliver(a_payment(order, cny(1990)), a_payment(other, cny(1)))
    await deliver(a_completion(order, a_line(cny(1990), a_cost(new_id(), cny(1200)))))

    listed = (await client.get("/v1/transactions", params={"order_id": str(order)})).json()

    assert [it["source"] for it in listed["items"]] == [
        f"order-settled:{order}",
        f"order-paid:{order}",
    ]
    assert listed["next_cursor"] is None


async def test_pages_show_every_transaction_once(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(*(a_payment(new_id(), cny(1)) for _ in range(7)))

    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/transactions", params=params)).json()
        seen += [it["id"] for it in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=True)


async def test_another_merchant_sees_and_reverses_nothing(
    client: httpx.AsyncClient, api: ApiClient
) -> None:
    posted = (await client.post("/v1/transactions", json=a_transaction())).json()
    stranger = await api("ledger:read", "ledger:write", merchant_id=OTHER_MERCHANT)

    url = f"/v1/transactions/{posted['id']}"
    assert (await stranger.get(url)).status_code == 404
    assert (await stranger.post(f"{url}/reverse", json={"description": "x"})).status_code == 404
    assert (await stranger.get("/v1/transactions")).json()["items"] == []
    assert (await stranger.get("/v1/trial-balance")).json()["items"] == []


async def test_reading_does_not_allow_writing(api: ApiClient) -> None:
    reader = await api("ledger:read")

    refused = await reader.post("/v1/transactions", json=a_transaction())

    assert (refused.status_code, refused.json()["scope"]) == (403, "ledger:write")
