"""Purchase limits: who is counted, how long, when an allowance comes back; exact in races."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database, Transaction
from kit.ids import new_id
from order.limits import service as limits
from order.limits.domain import Claim
from order.lines.domain import LineStatus
from order.orders import service as orders
from order.orders.domain import Order
from order.saga import service as saga
from tests.order.conftest import Consume
from tests.order.factories import MERCHANT, POOL, SHOP, assessed, delivered, failed
from tests.order.vaults import ScriptedVault

CALLERS = 64
MANUAL = {"kind": "manual", "queue": "desk"}
POOLED = {"kind": "pool", "pool_id": str(POOL)}


def a_limit(per: str = "buyer", quantity: int = 5, window_hours: int = 24) -> dict[str, Any]:
    return {"per": per, "quantity": quantity, "window_hours": window_hours}


async def make(
    api: httpx.AsyncClient, *found: dict[str, Any], sku: str = "A", **given: Any
) -> dict[str, Any]:
    body = {
        "sku": sku,
        "name": sku,
        "fulfillment": MANUAL,
        "price": {"amount": 100, "currency": "CNY"},
        "limits": list(found),
        **given,
    }
    answer = await api.post("/v1/products", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def place(api: httpx.AsyncClient, *lines: tuple[str, int], **given: Any) -> httpx.Response:
    body = {
        "channel_id": str(SHOP),
        "reference": given.pop("reference", f"ref-{new_id()}"),
        "customer": {"id": "buyer-7", **given},
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines or [("A", 1)]],
    }
    return await api.post("/v1/orders", json=body)


def placed(answers: list[httpx.Response]) -> int:
    codes = {answer.json().get("code") for answer in answers if answer.status_code != 201}
    assert codes <= {"limit_reached"}, codes
    return sum(answer.status_code == 201 for answer in answers)


async def test_orders_that_come_together_are_looked_at_together(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(api, a_limit(quantity=1_000))
    looks: list[int] = []
    check_many = limits.check_many

    async def watched(tx: Transaction, claims: Sequence[Sequence[Claim]]) -> Any:
        looks.append(len(claims))
        return await check_many(tx, claims)

    monkeypatch.setattr(limits, "check_many", watched)

    assert placed(await asyncio.gather(*(place(api) for _ in range(CALLERS)))) == CALLERS
    assert sum(looks) == CALLERS
    assert len(looks) < CALLERS / 2


async def test_of_64_callers_at_once_exactly_the_limit_buy(
    api: httpx.AsyncClient, db: Database, vault: ScriptedVault
) -> None:
    await make(api, a_limit(quantity=5), fulfillment=POOLED)

    answers = await asyncio.gather(*(place(api) for _ in range(CALLERS)))

    assert placed(answers) == 5
    assert len(vault.holds) == 5
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM orders"))).scalar_one() == 5
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert (refused["sku"], refused["per"], refused["limit"]) == ("A", "buyer", 5)
    assert refused["errors"][0]["pointer"] == "/lines/0/quantity"


@pytest.mark.parametrize("quantity", [2, 3])
async def test_quantities_are_counted_and_never_exceeded(
    api: httpx.AsyncClient, quantity: int
) -> None:
    await make(api, a_limit(quantity=7))

    answers = await asyncio.gather(*(place(api, ("A", quantity)) for _ in range(16)))

    assert placed(answers) == 7 // quantity
    rest = 7 - 7 // quantity * quantity
    assert (await place(api, ("A", rest))).status_code == 201
    assert (await place(api, ("A", 1))).status_code == 409


async def test_orders_of_many_limited_lines_in_every_order_never_wait_for_each_other(
    api: httpx.AsyncClient, db: Database
) -> None:
    skus = [f"S{number}" for number in range(8)]
    for sku in skus:
        await make(api, a_limit("buyer", 20), a_limit("ip", 20), sku=sku)
    dice = random.Random(4)

    answers = await asyncio.gather(
        *(
            place(api, *((sku, 1) for sku in dice.sample(skus, 8)), ip="203.0.113.7")
            for _ in range(CALLERS)
        )
    )

    assert placed(answers) == 20
    async with db.read() as tx:
        used = text("SELECT sku, per, sum(quantity) AS used FROM limit_use GROUP BY sku, per")
        assert {row.used for row in await tx.execute(used)} == {20}


async def test_each_subject_has_its_own_allowance(api: httpx.AsyncClient) -> None:
    await make(api, a_limit("ip", 1), sku="A")
    await make(api, a_limit("device", 1), sku="B")
    await make(api, a_limit("everyone", 1), sku="C")

    async def code(sku: str, **customer: Any) -> object:
        answer = await place(api, (sku, 1), **customer)
        return answer.json().get("code")

    assert await code("A", ip="203.0.113.7") is None
    assert await code("A", ip="203.0.113.7", id="other") == "limit_reached"
    assert await code("A", ip="203.0.113.8") is None
    assert await code("B", device_id="d-1") is None
    assert await code("B", device_id="d-1") == "limit_reached"
    assert await code("B", device_id="d-2") is None
    assert await code("C") is None
    assert await code("C", id="other") == "limit_reached"


async def test_a_limit_by_what_is_not_sent_asks_for_it(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    await make(api, a_limit("ip"), sku="A", fulfillment=POOLED)
    await make(api, a_limit("device"), sku="B")

    for sku, pointer in (("A", "/customer/ip"), ("B", "/customer/device_id")):
        answer = await place(api, (sku, 1))
        assert (answer.status_code, answer.json()["code"]) == (422, "limit_needs")
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert vault.calls == []


async def test_a_window_slides_by_the_database_clock(api: httpx.AsyncClient, db: Database) -> None:
    await make(api, a_limit(quantity=2, window_hours=1), a_limit(quantity=3, window_hours=48))
    await place(api)
    await place(api)
    assert (await place(api)).status_code == 409

    async with db.transaction() as tx:
        await tx.execute(text("UPDATE limit_use SET used_at = used_at - interval '3599 s'"))
    assert (await place(api)).status_code == 409
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE limit_use SET used_at = used_at - interval '2 s'"))

    third, fourth = await place(api), await place(api)
    assert (third.status_code, fourth.status_code) == (201, 409)
    assert fourth.json()["window_hours"] == 48


async def test_what_ends_unpaid_gives_its_allowance_back(
    api: httpx.AsyncClient, db: Database
) -> None:
    await make(api, a_limit(quantity=2))
    first, second = (await place(api)).json(), (await place(api)).json()
    assert (await place(api)).status_code == 409

    await api.post(f"/v1/orders/{first['id']}/cancel")
    third = (await place(api)).json()
    async with db.transaction() as tx:
        query = "UPDATE orders SET pay_until = placed_at WHERE id = :id"
        await tx.execute(text(query), {"id": second["id"]})
    async with db.transaction() as tx:
        assert await saga.expire_due(tx, 10) == 1
    fourth = await place(api)

    assert (third["status"], fourth.status_code) == ("pending_payment", 201)
    assert (await place(api)).status_code == 409


async def pay(api: httpx.AsyncClient, order: dict[str, Any]) -> None:
    word = {"provider": "shop", "provider_reference": order["id"], "amount": order["total"]}
    answer = await api.post(f"/v1/orders/{order['id']}/payments", json=word)
    assert answer.status_code == 201, answer.text


async def test_what_definitely_failed_gives_back_and_what_was_delivered_does_not(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    await make(api, a_limit(quantity=2))
    for outcome in (delivered, failed):
        body = (await place(api)).json()
        await pay(api, body)
        order = await _state(db, body)
        await consume(assessed(order))
        await consume(outcome(order, order.lines[0]))
    async with db.read() as tx:
        states = (await tx.execute(text("SELECT status FROM order_line"))).scalars().all()
    assert LineStatus.DELIVERED in states

    assert (await place(api)).status_code == 201
    assert (await place(api)).status_code == 409


async def _state(db: Database, body: dict[str, Any]) -> Order:
    async with db.read() as tx:
        return (await orders.get_view(tx, MERCHANT, UUID(body["id"]))).order


async def test_a_bundle_uses_the_limits_of_what_is_in_it_and_its_own(
    api: httpx.AsyncClient,
) -> None:
    await make(api, a_limit(quantity=5), sku="A")
    parts = [{"sku": "A", "quantity": 2}]
    terms = {"kind": "bundle", "policy": "partial", "components": parts}
    await make(api, a_limit(quantity=2), sku="PACK", fulfillment=terms)

    assert (await place(api, ("PACK", 1), ("A", 2))).status_code == 201
    inside = await place(api, ("PACK", 1))
    assert (inside.status_code, inside.json()["sku"]) == (409, "A")
    assert (await place(api, ("A", 1))).status_code == 201


async def test_a_bundle_that_is_cancelled_gives_its_own_allowance_back(
    api: httpx.AsyncClient,
) -> None:
    await make(api, sku="A")
    terms = {"kind": "bundle", "policy": "partial", "components": [{"sku": "A", "quantity": 2}]}
    await make(api, a_limit(quantity=1), sku="PACK", fulfillment=terms)
    first = (await place(api, ("PACK", 1))).json()
    assert (await place(api, ("PACK", 1))).status_code == 409

    await api.post(f"/v1/orders/{first['id']}/cancel")

    assert (await place(api, ("PACK", 1))).status_code == 201


async def test_the_same_reference_at_once_is_told_taken_not_limited(
    api: httpx.AsyncClient, db: Database
) -> None:
    await make(api, a_limit(quantity=1))

    answers = await asyncio.gather(*(place(api, reference="same") for _ in range(12)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert codes == {"reference_taken"}


async def test_what_no_window_reaches_is_forgotten(api: httpx.AsyncClient, db: Database) -> None:
    await make(api, a_limit(quantity=2))
    await place(api)
    await place(api)
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE limit_use SET used_at = used_at - interval '32 days' "
                "WHERE order_id = (SELECT order_id FROM limit_use LIMIT 1)"
            )
        )

    async with db.transaction() as tx:
        assert await limits.prune(tx, 10) == 1
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM limit_use"))).scalar_one() == 1
