"""Promotions over HTTP: kept, ended, and their budgets."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from order.price_rules.domain import RULES_MAX
from tests.order.selling import add_product, cny, ordered, quoted

PROMOTIONS = "/v1/promotions"


@pytest.fixture(autouse=True)
async def products(api: httpx.AsyncClient) -> None:
    await add_product(api, "CARD", 1000)


def a_promotion(**given: Any) -> dict[str, Any]:
    return {"name": "Sale", "effect": {"kind": "percent_off", "basis_points": 1000}, **given}


async def add_promotion(api: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await api.post(PROMOTIONS, json=a_promotion(**given))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize(
    "effect",
    [
        {"kind": "percent_off", "basis_points": 1000},
        {"kind": "amount_off", "amount": cny(100)},
        {"kind": "fixed_price", "price": cny(900)},
    ],
)
async def test_a_promotion_is_kept_read_back_and_felt(
    api: httpx.AsyncClient, effect: dict[str, Any]
):
    made = await add_promotion(api, effect=effect, skus=["CARD"], exclusive=False)

    assert made["effect"] == effect
    assert (await api.get(f"{PROMOTIONS}/{made['id']}")).json() == made
    assert (await api.get(PROMOTIONS)).json()["items"] == [made]
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(900)


async def test_a_promotion_that_is_ended_is_felt_no_more(api: httpx.AsyncClient):
    made = await add_promotion(api)

    ended = await api.patch(f"{PROMOTIONS}/{made['id']}", json={"active": False})

    assert (ended.json()["version"], ended.json()["active"]) == (2, False)
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(1000)


async def test_a_window_can_be_opened_again(api: httpx.AsyncClient):
    made = await add_promotion(api, valid_to="2020-01-01T00:00:00Z")
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(1000)

    await api.patch(f"{PROMOTIONS}/{made['id']}", json={"valid_to": None})

    assert (await quoted(api, ("CARD", 1)))["total"] == cny(900)


async def test_a_budget_in_another_currency_than_the_price_is_refused(api: httpx.AsyncClient):
    effect = {"kind": "fixed_price", "price": cny(900)}
    body = a_promotion(effect=effect, budget={"amount": 1, "currency": "USD"})

    answer = await api.post(PROMOTIONS, json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "currency_mismatch")


async def test_a_promotion_ends_with_its_budget_and_goes_on_when_an_order_gives_it_back(
    api: httpx.AsyncClient,
):
    await add_promotion(api, budget=cny(250))

    orders = [(await ordered(api, ("CARD", 1))).json() for _ in range(3)]

    assert [order["total"]["amount"] for order in orders] == [900, 900, 1000]
    await api.post(f"/v1/orders/{orders[0]['id']}/cancel")
    assert (await ordered(api, ("CARD", 1))).json()["total"] == cny(900)


async def test_a_budget_holds_when_many_buy_at_once(api: httpx.AsyncClient, db: Database):
    made = await add_promotion(api, budget=cny(550))

    answers = await asyncio.gather(*(ordered(api, ("CARD", 1)) for _ in range(40)))

    codes = {answer.json().get("code") for answer in answers if answer.status_code != 201}
    assert codes <= {"price_ran_out"}
    cheap = [it for it in answers if it.status_code == 201 and it.json()["total"] == cny(900)]
    assert len(cheap) == 5
    async with db.read() as tx:
        query = text("SELECT spent_minor FROM price_limit WHERE rule_id = CAST(:id AS uuid)")
        assert (await tx.execute(query, {"id": made["id"]})).scalar_one() == 500


async def test_so_many_promotions_may_be_active(api: httpx.AsyncClient, db: Database):
    made = await add_promotion(api)
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO price_rule (id, merchant_id, kind, name, terms) "
                "SELECT gen_random_uuid(), merchant_id, kind, name, terms "
                "FROM price_rule, generate_series(2, :count)"
            ),
            {"count": RULES_MAX},
        )

    answer = await api.post(PROMOTIONS, json=a_promotion())
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_rules")
    await api.patch(f"{PROMOTIONS}/{made['id']}", json={"active": False})
    assert (await api.post(PROMOTIONS, json=a_promotion())).status_code == 201


async def test_anothers_promotion_cannot_be_seen_or_changed(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
):
    made = await add_promotion(other_api)
    url = f"{PROMOTIONS}/{made['id']}"

    assert (await api.get(url)).status_code == 404
    assert (await api.patch(url, json={"active": False})).status_code == 404
    assert (await api.get(PROMOTIONS)).json()["items"] == []


async def test_an_edited_effect_is_the_next_version_and_leaves_placed_orders_alone(
    api: httpx.AsyncClient,
):
    made = await add_promotion(api)
    order = (await ordered(api, ("CARD", 1))).json()

    edited = await api.patch(
        f"{PROMOTIONS}/{made['id']}",
        json={"effect": {"kind": "fixed_price", "price": cny(500)}, "exclusive": False},
    )

    assert edited.status_code == 200, edited.text
    assert (edited.json()["version"], edited.json()["exclusive"]) == (2, False)
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(500)
    assert (await api.get(f"/v1/orders/{order['id']}")).json()["total"] == cny(900)


async def test_a_budget_is_edited_down_to_what_is_given_away_and_no_further(
    api: httpx.AsyncClient,
):
    made = await add_promotion(api, budget=cny(1000))
    path = f"{PROMOTIONS}/{made['id']}"
    await ordered(api, ("CARD", 2))

    less = await api.patch(path, json={"budget": cny(199)})
    just = await api.patch(path, json={"budget": cny(200)})
    spent = (await quoted(api, ("CARD", 1)))["total"]
    lifted = await api.patch(path, json={"budget": None})

    assert (less.status_code, less.json()["code"]) == (409, "limit_below_use")
    assert (just.status_code, just.json()["budget"], spent) == (200, cny(200), cny(1000))
    assert (lifted.json()["budget"], lifted.json()["version"]) == (None, 3)
    assert (await quoted(api, ("CARD", 1)))["total"] == cny(900)


async def test_a_promotion_keeps_its_currency(api: httpx.AsyncClient):
    made = await add_promotion(api, budget=cny(1000))
    dollars = {"budget": {"amount": 1000, "currency": "USD"}}

    answer = await api.patch(f"{PROMOTIONS}/{made['id']}", json=dollars)

    assert (answer.status_code, answer.json()["code"]) == (422, "currency_mismatch")
