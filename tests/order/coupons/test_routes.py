"""Coupons over HTTP: made, shown, counted, given back; what strangers learn."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database, Transaction
from order.coupons.domain import MISSES_MAX
from order.orders.domain import Verdict
from order.payments.jobs import pay_back
from order.provider import load_providers
from order.saga import service as saga
from order.saga.service import Fact
from tests.order.conftest import ApiClient
from tests.order.factories import an_assessment
from tests.order.selling import add_product, an_order_body, cny, ordered, quoted

COUPONS = "/v1/coupons"


@pytest.fixture(autouse=True)
async def products(api: httpx.AsyncClient) -> None:
    await add_product(api, "CARD", 1000)
    await add_product(api, "GIFT", 5000)


def a_coupon(**given: Any) -> dict[str, Any]:
    return {
        "name": "Spring",
        "effect": {"kind": "amount_off", "amount": cny(300)},
        "code": "SPRING10",
        **given,
    }


async def add_coupon(api: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await api.post(COUPONS, json=a_coupon(**given))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def codes_of(api: httpx.AsyncClient, coupon: dict[str, Any], quantity: int) -> list[str]:
    made = await api.post(f"{COUPONS}/{coupon['id']}/codes", json={"quantity": quantity})
    assert made.status_code == 201, made.text
    page = await api.get(made.headers["location"], params={"limit": 200})
    return [item["code"] for item in page.json()["items"]]


async def uses_of(api: httpx.AsyncClient, coupon: dict[str, Any]) -> tuple[int, int]:
    read = (await api.get(f"{COUPONS}/{coupon['id']}")).json()
    return read["uses"], read["given"]


async def test_a_coupon_takes_off_the_order_and_is_counted(api: httpx.AsyncClient):
    coupon = await add_coupon(api, minimum_spend=cny(2000), uses_max=5)

    answer = await ordered(api, ("CARD", 1), ("GIFT", 1), codes=["spring-10"])

    assert answer.status_code == 201, answer.text
    # 300 over 1000 and 5000.
    assert [line["total"]["amount"] for line in answer.json()["lines"]] == [950, 4750]
    assert answer.json()["total"] == cny(5700)
    assert await uses_of(api, coupon) == (1, 300)
    assert (await api.get(COUPONS)).json()["items"][0]["uses"] == 1


async def test_the_timeline_tells_the_coupon_but_not_the_code(api: httpx.AsyncClient):
    coupon = await add_coupon(api)
    order = (await ordered(api, ("CARD", 1), codes=["SPRING10"])).json()

    timeline = (await api.get(f"/v1/orders/{order['id']}/timeline")).text

    assert coupon["id"] in timeline
    assert "SPRING10" not in timeline


async def test_a_quote_says_what_a_code_would_do(api: httpx.AsyncClient):
    await add_coupon(api, minimum_spend=cny(2000))

    poor = await quoted(api, ("CARD", 1), codes=["SPRING10"])
    rich = await quoted(api, ("CARD", 2), codes=["SPRING10"])

    assert poor["coupons"] == [
        {"position": 0, "name": None, "discount": 0, "reason": "minimum_spend"}
    ]
    assert poor["total"] == cny(1000)
    assert rich["coupons"] == [{"position": 0, "name": "Spring", "discount": 300, "reason": None}]
    assert rich["total"] == cny(1700)


async def test_an_order_is_refused_with_the_reason_of_each_code(api: httpx.AsyncClient):
    await add_coupon(api, skus=["GIFT"], exclusive=False)

    answer = await ordered(api, ("CARD", 1), codes=["NOTHING", "SPRING10"])

    assert (answer.status_code, answer.json()["code"]) == (409, "coupon_refused")
    assert answer.json()["coupons"] == [
        {"position": 0, "reason": "not_valid"},
        {"position": 1, "reason": "other_products"},
    ]
    assert "SPRING10" not in answer.text


async def test_what_is_over_looks_like_what_never_was(api: httpx.AsyncClient):
    coupon = await add_coupon(api)
    await api.patch(f"{COUPONS}/{coupon['id']}", json={"active": False})
    await add_coupon(api, code="OLD", valid_to="2020-01-01T00:00:00Z")
    single = await add_coupon(api, code=None)
    [used] = await codes_of(api, single, 1)
    assert (await ordered(api, ("CARD", 1), codes=[used])).status_code == 201

    for code in ("SPRING10", "OLD", used, "NEVER"):
        answer = await ordered(api, ("CARD", 1), codes=[code])
        assert answer.json()["coupons"] == [{"position": 0, "reason": "not_valid"}], code


async def test_single_use_codes_are_used_once_and_kept_as_hashes(
    api: httpx.AsyncClient, db: Database
):
    coupon = await add_coupon(api, code=None, uses_per_buyer_max=None)
    one, two, three = await codes_of(api, coupon, 3)

    assert (await ordered(api, ("CARD", 1), codes=[one])).status_code == 201
    assert (await ordered(api, ("CARD", 1), codes=[one])).status_code == 409
    assert (await ordered(api, ("CARD", 1), codes=[two.lower()])).status_code == 201
    async with db.read() as tx:
        dump = ""
        for table in ("coupon_code", "coupon_batch", "price_use", "idempotency", "event_log"):
            rows = await tx.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - our tables
            dump += str(rows.all())
    assert not any(code in dump for code in (one, two, three))


async def test_a_batch_is_made_once_per_key_and_shown_again(api: httpx.AsyncClient):
    coupon = await add_coupon(api, code=None)
    url, key = f"{COUPONS}/{coupon['id']}/codes", {"Idempotency-Key": "batch-1"}
    body = {"quantity": 5, "prefix": "VIP"}

    first = await api.post(url, json=body, headers=key)
    again = await api.post(url, json=body, headers=key)

    assert first.json() == again.json()
    shown = [(await api.get(first.headers["location"])).json() for _ in range(2)]
    assert shown[0] == shown[1]
    assert [item["number"] for item in shown[0]["items"]] == [0, 1, 2, 3, 4]
    assert all(item["code"].startswith("VIP-") for item in shown[0]["items"])
    assert len((await api.get(f"{COUPONS}/{coupon['id']}/batches")).json()["items"]) == 1


async def test_a_coupon_with_a_shared_code_has_no_single_use_codes(api: httpx.AsyncClient):
    coupon = await add_coupon(api)

    answer = await api.post(f"{COUPONS}/{coupon['id']}/codes", json={"quantity": 1})

    assert (answer.status_code, answer.json()["code"]) == (422, "coupon_has_shared_code")


async def test_a_buyer_uses_it_so_often_by_id_and_by_contact(api: httpx.AsyncClient):
    await add_coupon(api, uses_per_buyer_max=1)
    assert (await ordered(api, ("CARD", 1), codes=["SPRING10"])).status_code == 201

    same_id = await ordered(api, ("CARD", 1), codes=["SPRING10"], email="new@example.com")
    same_mail = await ordered(api, ("CARD", 1), codes=["SPRING10"], customer_id="somebody")
    other = await ordered(
        api, ("CARD", 1), codes=["SPRING10"], customer_id="other", email="other@example.com"
    )

    assert [it.json().get("code") for it in (same_id, same_mail)] == ["price_ran_out"] * 2
    assert same_id.json()["rules"][0]["reason"] == "buyer_limit"
    assert other.status_code == 201


async def test_an_order_of_the_same_id_and_contact_is_one_use(api: httpx.AsyncClient):
    await add_coupon(api, uses_per_buyer_max=2)

    answers = [await ordered(api, ("CARD", 1), codes=["SPRING10"]) for _ in range(3)]

    assert [it.status_code for it in answers] == [201, 201, 409]


async def test_an_unpaid_order_gives_its_coupon_back_when_it_is_cancelled(api: httpx.AsyncClient):
    coupon = await add_coupon(api, uses_max=1)
    order = (await ordered(api, ("CARD", 1), codes=["SPRING10"])).json()
    assert (await ordered(api, ("CARD", 1), codes=["SPRING10"])).status_code == 409

    for _ in range(2):
        assert (await api.post(f"/v1/orders/{order['id']}/cancel")).is_success

    assert await uses_of(api, coupon) == (0, 0)
    assert (await ordered(api, ("CARD", 1), codes=["SPRING10"])).status_code == 201


async def test_an_order_that_is_not_paid_in_time_gives_its_single_use_code_back(
    api: httpx.AsyncClient, db: Database
):
    coupon = await add_coupon(api, code=None)
    [code] = await codes_of(api, coupon, 1)
    assert (await ordered(api, ("CARD", 1), codes=[code])).status_code == 201
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE orders SET pay_until = clock_timestamp()"))
    async with db.transaction() as tx:
        assert await saga.expire_due(tx, 10) == 1

    assert await uses_of(api, coupon) == (0, 0)
    assert (await ordered(api, ("CARD", 1), codes=[code])).status_code == 201


async def test_a_limit_below_what_was_used_is_refused(api: httpx.AsyncClient):
    coupon = await add_coupon(api)
    for number in range(2):
        await ordered(api, ("CARD", 1), codes=["SPRING10"], customer_id=str(number))

    answer = await api.patch(f"{COUPONS}/{coupon['id']}", json={"uses_max": 1})

    assert (answer.status_code, answer.json()["code"]) == (409, "limit_below_use")
    assert (await api.patch(f"{COUPONS}/{coupon['id']}", json={"uses_max": 2})).is_success
    assert (await ordered(api, ("CARD", 1), codes=["SPRING10"])).status_code == 409


async def test_a_shared_code_is_taken_once_in_a_merchant(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
):
    await add_coupon(api)

    answer = await api.post(COUPONS, json=a_coupon(code="spring-10"))

    assert (answer.status_code, answer.json()["code"]) == (409, "coupon_code_taken")
    assert (await other_api.post(COUPONS, json=a_coupon())).status_code == 201


async def test_who_shows_many_codes_that_do_not_exist_has_to_wait(api: httpx.AsyncClient):
    await add_coupon(api)
    for number in range(MISSES_MAX):
        await quoted(api, ("CARD", 1), codes=[f"GUESS{number}"], ip="203.0.113.9")

    same_ip = {"codes": ["SPRING10"], "customer_id": "renamed", "ip": "203.0.113.9"}
    answer = await ordered(api, ("CARD", 1), **same_ip)

    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_coupon_misses")
    assert int(answer.headers["retry-after"]) > 0
    without = an_order_body(("CARD", 1), customer_id="renamed", ip="203.0.113.9")
    assert (await api.post("/v1/orders", json=without)).status_code == 201
    other = {"codes": ["SPRING10"], "customer_id": "other", "ip": "203.0.113.10"}
    assert (await ordered(api, ("CARD", 1), **other)).status_code == 201


async def test_a_guesser_with_a_whole_network_is_one_guesser(api: httpx.AsyncClient):
    for number in range(MISSES_MAX):
        await quoted(
            api, ("CARD", 1), codes=["X"], customer_id=f"b{number}", ip=f"2001:db8::{number:x}"
        )

    answer = await ordered(api, ("CARD", 1), codes=["X"], customer_id="b", ip="2001:db8::ffff")

    assert answer.status_code == 429


async def test_codes_are_shown_to_who_could_make_new_ones_only(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient, open_api: ApiClient
):
    coupon = await add_coupon(api, code=None)
    made = await api.post(f"{COUPONS}/{coupon['id']}/codes", json={"quantity": 1})
    reader = await open_api(["prices:read"])

    assert (await reader.get(made.headers["location"])).status_code == 403
    assert (await other_api.get(made.headers["location"])).status_code == 404
    assert (await other_api.get(f"{COUPONS}/{coupon['id']}")).status_code == 404
    answer = await other_api.post(f"{COUPONS}/{coupon['id']}/codes", json={"quantity": 1})
    assert answer.status_code == 404


@pytest.mark.parametrize(("comes_back", "left"), [(True, (0, 0)), (False, (1, 300))])
async def test_a_whole_refund_gives_the_use_back_where_the_coupon_says_so(
    api: httpx.AsyncClient, db: Database, comes_back: bool, left: tuple[int, int]
):
    coupon = await add_coupon(api, returns_on_refund=comes_back)
    placed = (await ordered(api, ("CARD", 1), codes=["SPRING10"])).json()
    word = {"provider": "shop", "provider_reference": "pay-1", "amount": cny(700)}
    taken = await api.post(f"/v1/orders/{placed['id']}/payments", json=word)
    assert taken.status_code == 201, taken.text
    order_id = UUID(placed["id"])
    async with db.transaction() as tx:
        await saga.assess(tx, [Fact(order_id, an_assessment(Verdict.DECLINE), "test")])
        assert await refunds_of(tx, order_id) == 700
    assert await uses_of(api, coupon) == (1, 300)

    await pay_back(db, load_providers([]), every_seconds=1)._run()

    assert (await api.get(f"/v1/orders/{placed['id']}")).json()["status"] == "refunded"
    assert await uses_of(api, coupon) == left


async def refunds_of(tx: Transaction, order_id: UUID) -> int:
    query = text("SELECT sum(amount_minor) FROM order_refund WHERE order_id = :id")
    return int((await tx.execute(query, {"id": order_id})).scalar_one())


async def test_what_a_coupon_takes_off_is_edited_and_placed_orders_keep_what_they_got(
    api: httpx.AsyncClient,
):
    coupon = await add_coupon(api, budget=cny(1000))
    path = f"{COUPONS}/{coupon['id']}"
    order = (await ordered(api, ("CARD", 1), codes=["SPRING10"])).json()

    edit = {"effect": {"kind": "amount_off", "amount": cny(100)}, "minimum_spend": cny(500)}
    edited = await api.patch(path, json={**edit, "discount_max": None, "returns_on_refund": True})

    assert edited.status_code == 200, edited.text
    assert (edited.json()["version"], edited.json()["minimum_spend"]) == (2, cny(500))
    assert edited.json()["returns_on_refund"] is True
    assert (await quoted(api, ("CARD", 1), codes=["SPRING10"]))["total"] == cny(900)
    assert (await api.get(f"/v1/orders/{order['id']}")).json()["total"] == cny(700)
    assert await uses_of(api, coupon) == (1, 300)


async def test_a_coupons_budget_is_edited_down_to_what_was_given_and_no_further(
    api: httpx.AsyncClient,
):
    coupon = await add_coupon(api, budget=cny(1000))
    path = f"{COUPONS}/{coupon['id']}"
    await ordered(api, ("CARD", 1), codes=["SPRING10"])

    less = await api.patch(path, json={"budget": cny(299)})
    just = await api.patch(path, json={"budget": cny(300)})
    spent = (await quoted(api, ("CARD", 1), codes=["SPRING10"]))["total"]
    lifted = await api.patch(path, json={"budget": None})
    foreign = await api.patch(path, json={"budget": {"amount": 9, "currency": "USD"}})

    assert (less.status_code, less.json()["code"]) == (409, "limit_below_use")
    assert (just.status_code, spent) == (200, cny(1000))
    assert lifted.json()["budget"] is None
    assert (foreign.status_code, foreign.json()["code"]) == (422, "currency_mismatch")
