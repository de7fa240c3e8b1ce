"""Placing: the price, the hold, the answer; what is refused and what becomes of the hold then."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from order.orders.domain import OrderStatus
from tests.order.conftest import ApiClient
from tests.order.factories import EMAIL, POOL, SHOP, UNTRUSTED
from tests.order.vaults import ScriptedVault

CALLERS = 20
PUBLIC_KEY = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="


@pytest.fixture(autouse=True)
async def products(api: httpx.AsyncClient) -> None:
    for sku, price, currency in (
        ("GAME-100", 1990, "CNY"),
        ("GAME-200", 3990, "CNY"),
        ("USD-10", 1000, "USD"),
        ("DEAR", 10**13, "CNY"),
    ):
        answer = await api.post("/v1/products", json=a_product(sku, price, currency))
        assert answer.status_code == 201, answer.text


def a_product(sku: str, price: int, currency: str) -> dict[str, Any]:
    return {
        "sku": sku,
        "name": f"Card {sku}",
        "fulfillment": {"kind": "pool", "pool_id": str(POOL)},
        "price": {"amount": price, "currency": currency},
        "instructions": "Enter the code.",
    }


def a_body(*lines: tuple[str, int], **given: Any) -> dict[str, Any]:
    return {
        "channel_id": str(SHOP),
        "reference": f"ref-{new_id()}",
        "customer": {"id": "buyer-7", "email": EMAIL, "ip": "203.0.113.7"},
        "lines": [
            {"sku": sku, "quantity": quantity} for sku, quantity in lines or [("GAME-100", 1)]
        ],
        **given,
    }


async def place(api: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> httpx.Response:
    return await api.post("/v1/orders", json=body, headers=headers)


async def count(db: Database, table: str) -> int:
    async with db.read() as tx:
        query = text(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own table names
        return int((await tx.execute(query)).scalar_one())


async def test_an_order_is_priced_held_and_placed(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    answer = await place(api, a_body(("GAME-100", 2), ("GAME-200", 1)))

    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert order["status"] == "pending_payment"
    assert order["total"] == {"amount": 2 * 1990 + 3990, "currency": "CNY"}
    assert [line["total"]["amount"] for line in order["lines"]] == [3980, 3990]
    assert answer.headers["location"] == f"/v1/orders/{order['id']}"
    assert list(vault.holds) == [order["id"]]
    _, sent = vault.calls[0]
    assert sent["items"][0]["hold_seconds"] == 900 + 120
    read = await api.get(f"/v1/orders/{order['id']}")
    assert read.json() == order


async def test_the_timeline_tells_price_and_hold(api: httpx.AsyncClient) -> None:
    order = (await place(api, a_body(("GAME-100", 2)))).json()

    timeline = (await api.get(f"/v1/orders/{order['id']}/timeline")).json()

    assert [entry["kind"] for entry in timeline["items"]] == ["priced", "reserved", "placed"]
    priced = timeline["items"][0]
    assert priced["details"]["lines"][0] == {
        "line_no": 1,
        "sku": "GAME-100",
        "quantity": 2,
        "rule": "base",
        "unit_price": 1990,
        "total": 3980,
        "currency": "CNY",
        "steps": [{"rule": "base", "of": "unit", "before": 1990, "after": 1990}],
    }
    assert priced["cause"].startswith("key:")


async def test_what_is_told_to_the_world_names_no_contact(
    api: httpx.AsyncClient, db: Database
) -> None:
    await place(api, a_body())

    async with db.read() as tx:
        query = text("SELECT payload FROM event_log WHERE type LIKE '%OrderPlaced'")
        payload = (await tx.execute(query)).scalar_one()
        saved = (await tx.execute(text("SELECT body FROM idempotency"))).scalars().all()
    placed = OrderPlaced.FromString(payload)
    assert EMAIL.encode() not in payload
    assert EMAIL.encode() not in b"".join(saved)
    assert placed.channel_name == "Shop"
    assert placed.customer.ip == "203.0.113.7"
    assert len(placed.customer.contact_hash) == 64
    assert list(placed.customer.contact_hashes)[:1] == [placed.customer.contact_hash]
    assert not placed.is_paid


async def test_the_same_contact_has_the_same_hash(api: httpx.AsyncClient, db: Database) -> None:
    for email in (EMAIL, EMAIL.upper(), "other@example.com"):
        await place(api, a_body(customer={"id": "b", "email": email}))

    assert await count(db, "(SELECT DISTINCT contact_hash FROM orders) c") == 2


async def test_a_trusted_channel_places_and_pays_in_one_call(
    api: httpx.AsyncClient, db: Database
) -> None:
    paid = {
        "provider": "market",
        "provider_reference": "m-1",
        "amount": {"amount": 1990, "currency": "CNY"},
    }

    answer = await place(api, a_body(paid=paid))

    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "paid"
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT type FROM event_log WHERE topic LIKE '%.order.order'"))
        types = [row.type.rpartition(".")[2] for row in rows]
    assert types == ["OrderPlaced", "OrderPaid"]


async def test_a_prepaid_order_that_is_not_rightly_paid_holds_nothing(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    word = {"provider": "market", "provider_reference": "m-1"}
    for amount, channel, code in (
        (1, SHOP, "amount_mismatch"),
        (1990, UNTRUSTED, "channel_not_trusted"),
    ):
        paid = {**word, "amount": {"amount": amount, "currency": "CNY"}}
        answer = await place(api, a_body(paid=paid, channel_id=str(channel)))
        assert answer.json()["code"] == code
    assert vault.calls == []


async def test_one_payment_prepays_one_order(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    paid = {
        "provider": "market",
        "provider_reference": "m-1",
        "amount": {"amount": 1990, "currency": "CNY"},
    }
    await place(api, a_body(paid=paid))

    answer = await place(api, a_body(paid=paid))

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_reference_used")
    assert await count(db, "orders") == 1
    assert len(vault.holds) == 1


async def test_a_reference_is_taken_once_and_the_second_hold_goes_back(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    body = a_body()

    answers = await asyncio.gather(*(place(api, body) for _ in range(CALLERS)))

    won = [answer for answer in answers if answer.status_code == 201]
    lost = [answer.json() for answer in answers if answer.status_code == 409]
    assert (len(won), len(lost)) == (1, CALLERS - 1)
    assert {problem["code"] for problem in lost} == {"reference_taken"}
    assert {problem["order_id"] for problem in lost} == {won[0].json()["id"]}
    assert list(vault.holds) == [won[0].json()["id"]]
    assert await count(db, "order_line") == 1


async def test_an_idempotency_key_places_once_however_often_it_is_sent(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    body, key = a_body(), str(new_id())

    answers = await asyncio.gather(
        *(place(api, body, **{"Idempotency-Key": key}) for _ in range(CALLERS))
    )
    again = await place(api, body, **{"Idempotency-Key": key})

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert again.headers["idempotent-replayed"] == "true"
    assert await count(db, "orders") == 1
    assert list(vault.holds) == [again.json()["id"]]


async def test_another_body_under_the_same_key_is_refused(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    key = {"Idempotency-Key": str(new_id())}
    await place(api, a_body(), **key)

    answer = await place(api, a_body(), **key)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert len(vault.holds) == 1


async def test_out_of_stock_names_the_short_skus_and_places_nothing(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    short = {"line_no": 2, "pool_id": str(POOL), "requested": 3, "available": 1}
    vault.results.append(
        {
            "result": "out_of_stock",
            "reservation": None,
            "problem": {"code": "out_of_stock", "status": 409, "detail": "-", "lines": [short]},
        }
    )

    answer = await place(api, a_body(("GAME-100", 1), ("GAME-200", 3)))

    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "out_of_stock"
    assert problem["lines"] == [{"line_no": 2, "sku": "GAME-200", "requested": 3, "available": 1}]
    assert await count(db, "orders") == 0


async def test_out_of_stock_is_not_remembered_by_the_idempotency_key(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    vault.results.append({"result": "out_of_stock", "problem": {"status": 409}})
    body, key = a_body(), {"Idempotency-Key": str(new_id())}

    assert (await place(api, body, **key)).status_code == 409
    assert (await place(api, body, **key)).status_code == 201


async def test_a_vault_that_is_silent_once_is_asked_again_by_the_same_reference(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    vault.silences = 1

    answer = await place(api, a_body())

    assert answer.status_code == 201
    assert [call for call, _ in vault.calls] == ["/v1/reservations/batch"] * 2
    assert vault.calls[0][1] == vault.calls[1][1]


async def test_a_vault_that_stays_silent_makes_the_order_unavailable(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    vault.silences = 2

    answer = await place(api, a_body())

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert await count(db, "orders") == 0


async def test_what_else_the_vault_may_say_of_an_item(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"result": "pool_not_found", "problem": {"status": 404}}, 409, "stock_refused"),
        ({"result": "unavailable", "problem": {"status": 503}}, 503, "unavailable"),
        ({"result": "rubbish"}, 503, "unavailable"),
    ]
    for result, status, code in cases:
        vault.results.append(result)
        answer = await place(api, a_body())
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_lines_that_cannot_be_priced_hold_nothing(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    cases = [
        ([("NOPE", 1)], "unknown_sku"),
        ([("GAME-100", 1), ("USD-10", 1)], "mixed_currencies"),
        ([("DEAR", 2)], "total_too_large"),
    ]
    for lines, code in cases:
        answer = await place(api, a_body(*lines))
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.json()["errors"][0]["pointer"].startswith("/lines/")
    assert vault.calls == []


async def test_a_product_that_is_off_sale_cannot_be_ordered(api: httpx.AsyncClient) -> None:
    found = (await api.get("/v1/products?sku=GAME-100")).json()["items"][0]
    await api.patch(f"/v1/products/{found['id']}", json={"active": False})

    answer = await place(api, a_body())

    assert (answer.status_code, answer.json()["code"]) == (409, "product_inactive")


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"lines": []}, "/lines"),
    ({"lines": [{"sku": "GAME-100", "quantity": 1}] * 51}, "/lines"),
    ({"lines": [{"sku": "GAME-100", "quantity": 0}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "GAME-100", "quantity": 10_001}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "GAME-100", "quantity": 1.0}]}, "/lines/0/quantity"),
    ({"lines": [{"sku": "a\u0000b", "quantity": 1}]}, "/lines/0/sku"),
    ({"customer": {"id": ""}}, "/customer/id"),
    ({"customer": {"id": "b", "email": "no"}}, "/customer/email"),
    ({"customer": {"id": "b", "phone": "no"}}, "/customer/phone"),
    ({"customer": {"id": "b", "ip": "999.1.1.1"}}, "/customer/ip"),
    ({"customer": {"id": "b", "registered_at": "2024-01-01T00:00:00"}}, "/customer/registered"),
    ({"recipient_public_key": "short"}, "/recipient_public_key"),
    ({"channel_id": "no"}, "/channel_id"),
    ({"reference": "x" * 121}, "/reference"),
    ({"surprise": 1}, "/surprise"),
]


async def test_bad_input_is_refused_naming_the_field(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    for given, pointer in BAD_INPUT:
        answer = await place(api, a_body(**given))
        assert answer.status_code == 422, (given, answer.text)
        assert answer.json()["errors"][0]["pointer"].startswith(pointer), given
    assert vault.calls == []


async def test_the_largest_order_is_accepted(api: httpx.AsyncClient, db: Database) -> None:
    lines = [("GAME-100", 10_000)] * 50

    answer = await place(api, a_body(*lines, recipient_public_key=PUBLIC_KEY))

    assert answer.status_code == 201, answer.text
    assert answer.json()["total"]["amount"] == 1990 * 10_000 * 50


async def test_orders_need_the_scope_and_the_own_channel(
    open_api: ApiClient, other_api: httpx.AsyncClient
) -> None:
    assert (await place(await open_api(["orders:read"]), a_body())).status_code == 403
    paid = {"provider": "m", "provider_reference": "1", "amount": {"amount": 1, "currency": "CNY"}}
    prepaid = await place(await open_api(["orders:write"]), a_body(paid=paid))
    assert prepaid.json()["scope"] == "payments:write"
    assert (await place(other_api, a_body())).json()["code"] == "channel_not_found"


async def test_orders_placed_at_the_same_time_travel_to_the_vault_together(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    answers = await asyncio.gather(*(place(api, a_body()) for _ in range(CALLERS)))

    assert {answer.status_code for answer in answers} == {201}
    assert len(vault.calls) < CALLERS
    assert len(vault.holds) == CALLERS


async def test_a_placed_order_can_be_cancelled_with_a_reason(
    api: httpx.AsyncClient, db: Database
) -> None:
    order = (await place(api, a_body())).json()

    answer = await api.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "typo"})
    again = await api.post(f"/v1/orders/{order['id']}/cancel")

    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["reason"]) == (OrderStatus.CANCELLED, "typo")
    assert again.json() == answer.json()


async def test_refused_orders_do_not_harm_those_placed_with_them(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    paid = {
        "provider": "market",
        "provider_reference": "m-1",
        "amount": {"amount": 1990, "currency": "CNY"},
    }
    twice, key = a_body(), {"Idempotency-Key": str(new_id())}
    good = [place(api, a_body(), **{"Idempotency-Key": str(new_id())}) for _ in range(8)]
    doubled = [place(api, twice, **{"Idempotency-Key": str(new_id())}) for _ in range(3)]
    prepaid = [place(api, a_body(paid=paid), **{"Idempotency-Key": str(new_id())}) for _ in "123"]
    short = place(api, a_body(("NOPE", 1)), **key)

    answers = await asyncio.gather(*good, *doubled, *prepaid, short)

    assert [answer.status_code for answer in answers[:8]] == [201] * 8
    assert sorted(answer.status_code for answer in answers[8:11]) == [201, 409, 409]
    assert sorted(answer.status_code for answer in answers[11:14]) == [201, 409, 409]
    assert {answer.json()["code"] for answer in answers[11:14] if answer.status_code == 409} == {
        "payment_reference_used"
    }
    assert await count(db, "orders") == len(vault.holds) == 10
    assert await count(db, "idempotency") == 10
    assert await count(db, "order_payment") == 1
