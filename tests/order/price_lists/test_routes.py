"""Price lists: kept, changed, read, and counted in the prices of orders."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from kit.ids import new_id
from tests.order.conftest import ApiClient
from tests.order.factories import SHOP, UNTRUSTED
from tests.order.selling import a_quote_body, add_product, cny, quoted

LISTS = "/v1/price-lists"


@pytest.fixture(autouse=True)
async def products(api: httpx.AsyncClient) -> None:
    await add_product(api, "CARD", 1000)
    await add_product(api, "TOKEN", 333)


def a_list(*entries: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"name": "Resellers", "currency": "CNY", "entries": list(entries), **given}


def an_entry(sku: str, price: int | None = None, **given: Any) -> dict[str, Any]:
    return {"sku": sku, **({"price": cny(price)} if price is not None else {}), **given}


async def add_list(api: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post(LISTS, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_list_is_kept_and_read_back(api: httpx.AsyncClient):
    entry = an_entry("CARD", 900, tiers=[{"min_quantity": 10, "price": cny(800)}])
    body = a_list(entry, channel_ids=[str(SHOP)], groups=["vip"], priority=3)

    made = await add_list(api, {**body, "rounding": {"step": 100, "mode": "down", "ending": 99}})

    assert (made["version"], made["priority"], made["groups"]) == (1, 3, ["vip"])
    assert (await api.get(f"{LISTS}/{made['id']}")).json() == made
    assert (await api.get(LISTS)).json()["items"] == [made]
    entries = (await api.get(f"{LISTS}/{made['id']}/entries")).json()["items"]
    assert entries[0]["tiers"] == [{"min_quantity": 10, "price": cny(800), "basis_points_off": 0}]


async def test_a_list_makes_the_price_from_the_next_quote_on(api: httpx.AsyncClient):
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(1000)
    made = await add_list(api, a_list(an_entry("CARD", 900)))
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(900)

    changed = {"entries": [an_entry("CARD", 850), an_entry("TOKEN", basis_points_off=1000)]}
    await api.patch(f"{LISTS}/{made['id']}", json=changed)
    assert (await quoted(api, ("CARD", 1), ("TOKEN", 1)))["total"] == cny(850 + 300)

    await api.patch(f"{LISTS}/{made['id']}", json={"removed_skus": ["CARD"]})
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(1000)
    await api.patch(f"{LISTS}/{made['id']}", json={"active": False})
    assert (await quoted(api, ("TOKEN", 1)))["total"] == cny(333)
    read = (await api.get(f"{LISTS}/{made['id']}")).json()
    assert (read["version"], read["active"]) == (4, False)


async def test_a_list_of_a_group_is_for_buyers_in_it(api: httpx.AsyncClient):
    await add_list(api, a_list(an_entry("CARD", 900), groups=["vip"]))

    assert (await quoted(api, ("CARD", 1)))["total"] == cny(1000)
    assert (await quoted(api, ("CARD", 1), groups=["new", "vip"]))["total"] == cny(900)


async def test_a_list_of_a_channel_is_for_orders_in_it(api: httpx.AsyncClient):
    await add_list(api, a_list(an_entry("CARD", 900), channel_ids=[str(UNTRUSTED)]))

    assert (await quoted(api, ("CARD", 1)))["total"] == cny(1000)
    assert (await quoted(api, ("CARD", 1), channel_id=UNTRUSTED))["total"] == cny(900)


async def test_the_list_that_a_channel_names_counts_before_all_others(api: httpx.AsyncClient):
    await add_list(api, a_list(an_entry("CARD", 100), priority=100))
    own = await add_list(api, a_list(an_entry("CARD", 950)))

    answer = await api.patch(f"/v1/channels/{SHOP}", json={"price_list_id": own["id"]})

    assert answer.status_code == 200, answer.text
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(950)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"entries": [an_entry("CARD", 900, tiers=[{"min_quantity": 2, "price": cny(901)}])]},
         "tiers_rise"),
        ({"entries": [an_entry("CARD", tiers=[{"min_quantity": 2, "price": cny(901)}])]},
         "bad_tiers"),
        ({"entries": [an_entry("CARD", 900, basis_points_off=5)]}, "bad_tiers"),
        ({"currency": "USD", "entries": [an_entry("CARD", 900)]}, "currency_mismatch"),
        ({"valid_from": "2026-01-02T00:00:00Z", "valid_to": "2026-01-02T00:00:00Z"}, "bad_window"),
        ({"entries": [{"sku": "CARD", "price": {"amount": 9.5, "currency": "CNY"}}]},
         "validation_failed"),
    ],
)  # fmt: skip
async def test_a_list_that_contradicts_itself_is_refused(
    api: httpx.AsyncClient, change: dict[str, Any], code: str
):
    answer = await api.post(LISTS, json={**a_list(), **change})

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await api.get(LISTS)).json()["items"] == []


async def test_rising_tiers_are_kept_when_that_is_said(api: httpx.AsyncClient):
    tiers = [{"min_quantity": 2, "price": cny(1100)}]
    await add_list(api, a_list(an_entry("CARD", 900, tiers=tiers, allow_rising=True)))

    assert (await quoted(api, ("CARD", 2)))["total"] == cny(2200)


async def test_a_list_for_anothers_channel_is_refused(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
):
    answer = await other_api.post(LISTS, json=a_list(channel_ids=[str(SHOP)]))

    assert (answer.status_code, answer.json()["code"]) == (404, "channel_not_found")


async def test_anothers_list_cannot_be_seen_changed_or_felt(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
):
    made = await add_list(other_api, a_list(an_entry("CARD", 1)))
    url = f"{LISTS}/{made['id']}"

    answers = [
        await api.get(url),
        await api.get(f"{url}/entries"),
        await api.patch(url, json={"name": "mine"}),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert (await api.get(LISTS)).json()["items"] == []
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(1000)


async def test_prices_are_changed_with_prices_write_only(open_api: ApiClient):
    reader = await open_api(["prices:read"])

    assert (await reader.get(LISTS)).status_code == 200
    answers = [
        await reader.post(LISTS, json=a_list()),
        await reader.patch(f"{LISTS}/{new_id()}", json={}),
        await reader.put("/v1/price-rounding", json={"rounding": None}),
    ]
    assert {answer.status_code for answer in answers} == {403}


async def test_the_merchants_rounding_is_of_every_price_that_a_rule_made(api: httpx.AsyncClient):
    rounding = {"step": 100, "mode": "down", "ending": 99}
    await add_list(api, a_list(an_entry("CARD", 950)))

    put = await api.put("/v1/price-rounding", json={"rounding": rounding})

    assert put.json() == (await api.get("/v1/price-rounding")).json() == {"rounding": rounding}
    assert (await quoted(api, ("CARD", 1), ("TOKEN", 1)))["total"] == cny(899 + 333)
    await api.put("/v1/price-rounding", json={"rounding": None})
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(950)


async def test_lists_are_paged(api: httpx.AsyncClient):
    made = [(await add_list(api, a_list()))["id"] for _ in range(3)]

    first = (await api.get(LISTS, params={"limit": 2})).json()
    rest = (await api.get(LISTS, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [UUID(it["id"]) for it in first["items"] + rest["items"]] == sorted(map(UUID, made))
    assert a_quote_body(("CARD", 1))["lines"]


async def test_a_products_own_tiers_count_from_their_quantity_on(api: httpx.AsyncClient):
    tiers = [{"min_quantity": 50, "basis_points_off": 2000}, {"min_quantity": 10, "price": cny(90)}]
    made = await add_product(api, "MANY", 100, tiers=tiers)

    assert [tier["min_quantity"] for tier in made["tiers"]] == [10, 50]
    totals = [(await quoted(api, ("MANY", it)))["total"]["amount"] for it in (9, 10, 50)]
    assert totals == [900, 900, 4000]


@pytest.mark.parametrize(
    "change",
    [
        {"tiers": [{"min_quantity": 2, "price": cny(101)}]},
        {"tiers": [{"min_quantity": 2, "price": {"amount": 9, "currency": "USD"}}]},
        {"price": cny(89)},
        {"price": {"amount": 100, "currency": "USD"}},
    ],
)
async def test_an_edit_that_makes_more_units_dearer_is_refused(
    api: httpx.AsyncClient, change: dict[str, Any]
):
    made = await add_product(api, "MANY", 100, tiers=[{"min_quantity": 10, "price": cny(90)}])

    answer = await api.patch(f"/v1/products/{made['id']}", json=change)

    assert answer.status_code == 422
    assert answer.json()["code"] in {"tiers_rise", "bad_product"}
    assert (await api.get(f"/v1/products/{made['id']}")).json() == made
