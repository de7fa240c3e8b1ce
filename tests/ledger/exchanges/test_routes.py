"""Changing money: each currency balances by itself, what the rate made is gained or lost."""

from typing import Any

import httpx
import pytest

from tests.ledger.conftest import Balances
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    client = await api("ledger:read", "ledger:write")
    for code, currency in (("bank:ccb", "CNY"), ("bank:hsbc", "USD")):
        body = {"code": code, "currency": currency, "kind": "asset"}
        assert (await client.post("/v1/accounts", json=body)).status_code == 201
    return client


def an_exchange(**changes: Any) -> dict[str, Any]:
    return {
        "description": "Yuan into dollars",
        "from": {"account": "bank:ccb", "amount": {"amount": 71_200, "currency": "CNY"}},
        "to": {"account": "bank:hsbc", "amount": {"amount": 10_000, "currency": "USD"}},
        **changes,
    }


async def test_each_currency_balances_over_its_position(
    client: httpx.AsyncClient, balances: Balances
) -> None:
    posted = await client.post("/v1/fx", json=an_exchange())
    assert posted.status_code == 201, posted.text
    assert await balances() == {
        ("bank:ccb", "CNY"): -71_200,
        ("fx-position", "CNY"): 71_200,
        ("bank:hsbc", "USD"): 10_000,
        ("fx-position", "USD"): -10_000,
    }
    trial = (await client.get("/v1/trial-balance")).json()
    assert trial["balanced"]
    assert len(trial["totals"]) == 2


@pytest.mark.parametrize(
    ("denominator", "position", "gain"),
    [
        (712, -10_000, None),
        (700, -10_171, 171),  # 71,200 x 100 / 700 = 10,171.43: came less than it stood for
        (800, -8_900, -1_100),
    ],
)
async def test_the_difference_to_the_book_rate_is_gained_or_lost(
    client: httpx.AsyncClient,
    balances: Balances,
    denominator: int,
    position: int,
    gain: int | None,
) -> None:
    rate = {"numerator": 100, "denominator": denominator}
    posted = await client.post("/v1/fx", json=an_exchange(book_rate=rate))
    assert posted.status_code == 201, posted.text
    found = await balances()
    assert found["fx-position", "USD"] == position
    assert found.get(("fx-gains", "USD")) == gain
    assert found["bank:hsbc", "USD"] == 10_000


@pytest.mark.parametrize(
    ("came", "account", "amount"),
    [
        # 71,200 x 100 / 700 = 10,171.43
        (10_171, None, 0),
        (10_172, "rounding", -1),
        (10_170, "fx-gains", 1),
        (10_173, "fx-gains", -2),
    ],
)
async def test_what_is_less_than_a_minor_unit_beyond_the_book_rate_is_rounding(
    client: httpx.AsyncClient, balances: Balances, came: int, account: str | None, amount: int
) -> None:
    to = {"account": "bank:hsbc", "amount": {"amount": came, "currency": "USD"}}
    rate = {"numerator": 100, "denominator": 700}
    posted = await client.post("/v1/fx", json=an_exchange(to=to, book_rate=rate))
    assert posted.status_code == 201, posted.text
    found = await balances()
    beyond = {code: found.get((code, "USD"), 0) for code in ("rounding", "fx-gains")}
    assert beyond == {"rounding": 0, "fx-gains": 0} | ({account: amount} if account else {})
    assert found["fx-position", "USD"] == -10_171


async def test_a_book_rate_that_makes_no_amount_is_refused(client: httpx.AsyncClient) -> None:
    rate = {"numerator": 10**12, "denominator": 1}
    refused = await client.post("/v1/fx", json=an_exchange(book_rate=rate))
    assert refused.status_code == 422, refused.text


async def test_one_currency_is_no_exchange(client: httpx.AsyncClient) -> None:
    to = {"account": "bank:ccb", "amount": {"amount": 5, "currency": "CNY"}}
    refused = await client.post("/v1/fx", json=an_exchange(to=to))
    assert (refused.status_code, refused.json()["code"]) == (422, "same_currency")


async def test_accounts_are_opened_first(client: httpx.AsyncClient) -> None:
    to = {"account": "bank:none", "amount": {"amount": 5, "currency": "USD"}}
    refused = await client.post("/v1/fx", json=an_exchange(to=to))
    assert (refused.status_code, refused.json()["code"]) == (422, "account_unknown")
    assert refused.json()["errors"][0]["pointer"] == "/to/account"


async def test_an_exchange_is_posted_once_by_its_reference_and_can_be_reversed(
    client: httpx.AsyncClient, balances: Balances
) -> None:
    body = an_exchange(reference="fx-7")
    posted = await client.post("/v1/fx", json=body)
    again = await client.post("/v1/fx", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "already_posted")
    undone = await client.post(
        f"/v1/transactions/{posted.json()['id']}/reverse", json={"description": "wrong bank"}
    )
    assert undone.status_code == 201
    assert await balances() == {}
