"""Quotes: the price of an order told beforehand, rule by rule; and orders held to it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from tests.order.conftest import ApiClient
from tests.order.factories import SHOP
from tests.order.selling import a_quote_body, add_product, cny, ordered, quoted
from tests.order.vaults import ScriptedVault


@pytest.fixture(autouse=True)
async def products(api: httpx.AsyncClient) -> None:
    await add_product(api, "CARD", 1000)
    await add_product(api, "TOKEN", 333)


async def test_a_quote_tells_each_line_step_by_step(api: httpx.AsyncClient):
    entry = {"sku": "CARD", "price": cny(900)}
    prices = {"name": "Shop", "currency": "CNY", "entries": [entry]}
    listed = (await api.post("/v1/price-lists", json=prices)).json()
    promotion = {"name": "Sale", "effect": {"kind": "percent_off", "basis_points": 1000}}
    sale = (await api.post("/v1/promotions", json=promotion)).json()

    quote = await quoted(api, ("CARD", 2), ("TOKEN", 1))

    card, token = quote["lines"]
    assert card["steps"] == [
        {"rule": "base", "of": "unit", "before": 1000, "after": 1000},
        {
            "rule": "price_list",
            "rule_id": listed["id"],
            "name": "Shop",
            "version": 1,
            "of": "unit",
            "before": 1000,
            "after": 900,
        },
        {
            "rule": "promotion",
            "rule_id": sale["id"],
            "name": "Sale",
            "version": 1,
            "of": "unit",
            "before": 900,
            "after": 810,
        },
    ]
    assert (card["unit_price"], card["total"]) == (cny(810), cny(1620))
    assert token["total"] == cny(300)
    assert quote["total"] == cny(1920)


async def test_an_order_costs_what_was_quoted_and_keeps_the_steps(api: httpx.AsyncClient):
    promotion = {"name": "Sale", "effect": {"kind": "fixed_price", "price": cny(777)}}
    await api.post("/v1/promotions", json={**promotion, "skus": ["CARD"]})
    quote = await quoted(api, ("CARD", 2), ("TOKEN", 1))

    answer = await ordered(api, ("CARD", 2), ("TOKEN", 1), expected_total=quote["total"])

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert order["total"] == quote["total"] == cny(2 * 777 + 333)
    timeline = (await api.get(f"/v1/orders/{order['id']}/timeline")).json()["items"]
    told = [line["steps"] for line in timeline[0]["details"]["lines"]]
    assert told == [line["steps"] for line in quote["lines"]]


async def test_an_order_is_refused_when_its_price_is_not_what_was_expected(
    api: httpx.AsyncClient, vault: ScriptedVault
):
    quote = await quoted(api, ("CARD", 1))
    promotion = {"name": "Sale", "effect": {"kind": "amount_off", "amount": cny(1)}}
    await api.post("/v1/promotions", json=promotion)

    answer = await ordered(api, ("CARD", 1), expected_total=quote["total"])

    assert (answer.status_code, answer.json()["code"]) == (409, "price_changed")
    assert answer.json()["expected"] == cny(1000)
    assert answer.json()["quote"]["total"] == cny(999)
    assert vault.holds == {}
    assert (await ordered(api, ("CARD", 1), expected_total=cny(999))).status_code == 201


async def test_quantities_count_over_all_lines_as_when_the_order_is_placed(api: httpx.AsyncClient):
    await add_product(api, "PACK", 100, quantity_min=4, quantity_max=5)
    enough, too_many = [("PACK", 2), ("PACK", 2)], [("PACK", 3), ("CARD", 1), ("PACK", 3)]

    quote = await quoted(api, *enough)
    assert (quote["unavailable"], quote["total"]) == ([], cny(400))
    assert (await ordered(api, *enough)).status_code == 201

    quote = await quoted(api, *too_many)
    refused = await ordered(api, *too_many)
    assert (refused.status_code, refused.json()["code"]) == (409, "quantity_out_of_bounds")
    told = [(it["line_no"], it["code"]) for it in quote["unavailable"]]
    assert told == [(1, "quantity_out_of_bounds"), (3, "quantity_out_of_bounds")]
    assert quote["total"] == cny(1000)


async def test_a_quantity_is_looked_at_before_the_form_is_filled_in(api: httpx.AsyncClient):
    form = [{"name": "account", "type": "account"}]
    await add_product(api, "ASKS", 100, quantity_max=2, form=form)

    quote = await quoted(api, ("ASKS", 3))

    assert [it["code"] for it in quote["unavailable"]] == ["quantity_out_of_bounds"]


async def test_a_quote_holds_nothing_and_writes_nothing(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
):
    await quoted(api, ("CARD", 5))

    assert vault.calls == []
    async with db.read() as tx:
        counts = [
            (await tx.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608
            for table in ("orders", "price_use", "order_timeline")
        ]
    assert counts == [0, 0, 0]


async def test_what_cannot_be_bought_is_told_beside_the_rest(api: httpx.AsyncClient):
    gone = await add_product(api, "GONE", 10)
    await api.patch(f"/v1/products/{gone['id']}", json={"active": False})

    quote = await quoted(api, ("NOTHING", 1), ("CARD", 1), ("GONE", 2))

    assert [(it["line_no"], it["sku"], it["code"]) for it in quote["unavailable"]] == [
        (1, "NOTHING", "unknown_sku"),
        (3, "GONE", "product_inactive"),
    ]
    assert [(line["line_no"], line["sku"]) for line in quote["lines"]] == [(2, "CARD")]
    assert quote["total"] == cny(1000)


async def test_of_nothing_there_is_no_total(api: httpx.AsyncClient):
    quote = await quoted(api, ("NOTHING", 1), codes=["NEVER"])

    assert (quote["lines"], quote["total"]) == ([], None)
    assert quote["coupons"][0]["reason"] == "not_valid"


async def test_a_quote_is_valid_until_a_rule_changes(api: httpx.AsyncClient):
    now = datetime.now(UTC)
    far = datetime.fromisoformat((await quoted(api, ("CARD", 1)))["valid_until"])
    assert timedelta(seconds=880) < far - now < timedelta(seconds=920)

    begin = (now + timedelta(seconds=60)).replace(microsecond=0)
    promotion = {
        "name": "Soon",
        "effect": {"kind": "percent_off", "basis_points": 1},
        "valid_from": begin.isoformat(),
    }
    await api.post("/v1/promotions", json=promotion)

    soon = datetime.fromisoformat((await quoted(api, ("CARD", 1)))["valid_until"])
    assert soon == begin


async def test_quotes_are_for_who_may_order_in_the_own_channel(
    open_api: ApiClient, other_api: httpx.AsyncClient
):
    reader = await open_api(["prices:read"])
    body = a_quote_body(("CARD", 1), channel_id=SHOP)

    assert (await reader.post("/v1/quotes", json=body)).status_code == 403
    assert (await other_api.post("/v1/quotes", json=body)).status_code == 404
