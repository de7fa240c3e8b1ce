import httpx
import pytest

from kit.ids import new_id
from tests.ledger.conftest import Deliver
from tests.ledger.factories import a_payment, an_import, cny, usd
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read", "ledger:write")


async def test_accounts_are_listed_with_their_balances(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(a_payment(new_id(), cny(1990)), a_payment(new_id(), cny(10)))
    await deliver(an_import(total=usd(500)))

    items = (await client.get("/v1/accounts", params={"currency": "CNY"})).json()["items"]

    assert {
        it["code"].split(":")[0]: (it["debit"], it["credit"], it["balance"]) for it in items
    } == {
        "channel-clearing": (2000, 0, 2000),
        "customer-deposits": (0, 2000, -2000),
    }
    one = (await client.get(f"/v1/accounts/{items[0]['id']}")).json()
    assert one == items[0]


async def test_an_account_is_opened_once_per_currency(client: httpx.AsyncClient) -> None:
    body = {"code": "bank:ccb", "currency": "CNY", "kind": "asset"}
    assert (await client.post("/v1/accounts", json=body)).status_code == 201
    assert (await client.post("/v1/accounts", json=body | {"currency": "USD"})).status_code == 201

    again = await client.post("/v1/accounts", json=body | {"kind": "equity"})

    assert (again.status_code, again.json()["code"]) == (409, "account_exists")


@pytest.mark.parametrize("code", ["revenue", "channel-clearing:x", "supplier-payable:Kinguin"])
async def test_accounts_of_the_platform_are_not_opened_by_hand(
    client: httpx.AsyncClient, code: str
) -> None:
    refused = await client.post(
        "/v1/accounts", json={"code": code, "currency": "CNY", "kind": "equity"}
    )

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/code"


async def test_an_unknown_account_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/accounts/{new_id()}")).status_code == 404
