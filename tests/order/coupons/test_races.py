"""Many buyers at once: no limit is passed, nothing is lost, nobody waits for each other forever."""

import asyncio
import random
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from order.coupons import service as coupons
from order.coupons.domain import MISSES_MAX, CodeKeeper, Guess, TooManyMisses
from tests.order.selling import add_product, cny, ordered

CALLERS = 100
LIMIT = 10


@pytest.fixture(autouse=True)
async def products(api: httpx.AsyncClient) -> None:
    await add_product(api, "CARD", 1000)


async def add_coupon(api: httpx.AsyncClient, code: str | None, **given: Any) -> str:
    body = {
        "name": code or "single",
        "effect": {"kind": "amount_off", "amount": cny(100)},
        "code": code,
        "exclusive": False,
        **given,
    }
    answer = await api.post("/v1/coupons", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def bought(api: httpx.AsyncClient, number: int, *codes: str) -> str:
    """The order's id, or the code of the problem."""
    answer = await ordered(
        api,
        ("CARD", 1),
        codes=list(codes),
        customer_id=f"b{number}",
        email=f"b{number}@example.com",
        ip=f"203.0.{number // 250}.{number % 250}",
    )
    body = answer.json()
    return str(body["id"] if answer.status_code == 201 else body["code"])


async def counted(db: Database, coupon_id: str) -> tuple[int, int, int, int]:
    """Uses and money by the counters, and by the rows of orders."""
    query = text(
        "SELECT l.uses, l.spent_minor, count(u.order_id) AS held, "
        "coalesce(sum(u.discount_minor), 0) AS money "
        "FROM price_limit l LEFT JOIN price_use u ON u.rule_id = l.rule_id "
        "AND u.returned_at IS NULL WHERE l.rule_id = CAST(:id AS uuid) GROUP BY l.rule_id"
    )
    async with db.read() as tx:
        row = (await tx.execute(query, {"id": coupon_id})).one()
    return row.uses, row.spent_minor, row.held, int(row.money)


async def test_of_a_hundred_buyers_exactly_as_many_as_the_limit_get_the_coupon(
    api: httpx.AsyncClient, db: Database
):
    coupon = await add_coupon(api, "TEN", uses_max=LIMIT)

    results = await asyncio.gather(*(bought(api, number, "TEN") for number in range(CALLERS)))

    refused = Counter(it for it in results if it in ("price_ran_out", "coupon_refused"))
    assert refused.total() == CALLERS - LIMIT
    assert await counted(db, coupon) == (LIMIT, 100 * LIMIT, LIMIT, 100 * LIMIT)
    async with db.read() as tx:
        orders = (await tx.execute(text("SELECT count(*) FROM orders"))).scalar_one()
    assert orders == LIMIT


async def test_a_budget_is_never_passed(api: httpx.AsyncClient, db: Database):
    coupon = await add_coupon(api, "MONEY", budget=cny(750))

    await asyncio.gather(*(bought(api, number, "MONEY") for number in range(40)))

    assert await counted(db, coupon) == (7, 700, 7, 700)


async def test_one_single_use_code_goes_to_one_of_many(api: httpx.AsyncClient, db: Database):
    coupon = await add_coupon(api, None)
    made = await api.post(f"/v1/coupons/{coupon}/codes", json={"quantity": 1})
    [item] = (await api.get(made.headers["location"])).json()["items"]

    await asyncio.gather(*(bought(api, number, item["code"]) for number in range(30)))

    assert (await counted(db, coupon))[:2] == (1, 100)


@pytest.mark.timeout(60)
async def test_orders_with_several_coupons_and_cancels_between_them_never_deadlock(
    api: httpx.AsyncClient, db: Database
):
    coupons = [await add_coupon(api, f"COUP{number}") for number in range(5)]
    chance = random.Random(4)

    async def shop(number: int) -> str:
        codes = chance.sample([f"COUP{each}" for each in range(5)], 3)
        order_id = await bought(api, number, *codes)
        if number % 2:
            answer = await api.post(f"/v1/orders/{order_id}/cancel")
            assert answer.is_success, answer.text
        return order_id

    results = await asyncio.gather(*(shop(number) for number in range(CALLERS)))

    assert all(len(result) == 36 for result in results), Counter(results)
    alive = 3 * (CALLERS // 2)
    figures = [await counted(db, coupon) for coupon in coupons]
    assert sum(uses for uses, _, _, _ in figures) == alive
    assert all((uses, spent) == (rows, money) for uses, spent, rows, money in figures)


async def test_the_database_itself_refuses_one_use_too_many(api: httpx.AsyncClient, db: Database):
    coupon = await add_coupon(api, "ONE", uses_max=1)
    await bought(api, 1, "ONE")

    with pytest.raises(Exception, match="ck_price_limit_uses"):
        async with db.transaction() as tx:
            await tx.execute(text("UPDATE price_limit SET uses = uses + 1"))
    assert (await counted(db, coupon))[0] == 1


async def test_guesses_that_come_while_others_are_being_counted_are_told_no_more(
    api: httpx.AsyncClient, db: Database
):
    async def guess(number: int) -> int:
        given: dict[str, Any] = {
            "codes": ["NONE"],
            "customer_id": f"b{number}",
            "ip": "203.0.113.9",
        }
        return (await ordered(api, ("CARD", 1), **given)).status_code

    waves = []
    async with db.transaction() as tx:
        await tx.execute(text("LOCK TABLE coupon_miss IN SHARE MODE"))
        for _ in range(3):
            waves.append(asyncio.gather(*(guess(number) for number in range(MISSES_MAX))))
            await asyncio.sleep(0.3)
    told = [status for wave in waves for status in await wave]

    assert Counter(told) == {409: MISSES_MAX, 429: 2 * MISSES_MAX}


async def test_a_burst_of_guesses_is_told_no_more_than_one_after_another(db: Database):
    merchant = new_id()
    burst = [Guess(merchant, (f"X{at}",), (f"buyer:{at}", "ip:one")) for at in range(CALLERS)]
    other = Guess(merchant, ("X",), ("buyer:other", "ip:other"))

    async with db.read({merchant}) as tx:
        told = await coupons.find_shown(tx, CodeKeeper("secret"), [*burst, other])

    answered = [not isinstance(it, TooManyMisses) for it in told]
    assert answered == [True] * MISSES_MAX + [False] * (CALLERS - MISSES_MAX) + [True]
