"""Buyers who wait for stock: told once, the oldest first, as many as there are units."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.messaging.outbox import events_of
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported, StockOut
from lockstock.order.v1.restock_events_pb2 import RestockNoticeDue
from order.api_keys.domain import MERCHANT_SCOPES
from order.restock import jobs, service
from order.stock.jobs import ask_for_stock
from order.vault import Vault
from tests.order.factories import MERCHANT, POOL, an_event

PRODUCT = {
    "sku": "GAME-100",
    "name": "Game card",
    "fulfillment": {"kind": "pool", "pool_id": str(POOL)},
    "price": {"amount": 1990, "currency": "CNY"},
}


def buyer(number: int = 7, **given: Any) -> dict[str, Any]:
    customer = {"id": f"buyer-{number}", "email": f"b{number}@example.com", **given}
    return {"sku": "GAME-100", "customer": customer}


async def wait_for(api, number: int = 7, **given: Any) -> Any:
    await api.post("/v1/products", json=PRODUCT)
    answer = await api.post("/v1/restock-requests", json=buyer(number, **given))
    assert answer.status_code == 201, answer.text
    return answer.json()


def imported(quantity: int):
    message = StockImported(pool_id=str(POOL), merchant_id=str(MERCHANT), quantity=quantity)
    return an_event(message, POOL)


def sold_out():
    return an_event(StockOut(pool_id=str(POOL), merchant_id=str(MERCHANT)), POOL)


async def tell(db: Database) -> list[str]:
    """One round of the job; the customers whose notice became due."""
    async with db.transaction() as tx:
        await service.tell_due(tx)
        due = [it for it in events_of(tx) if isinstance(it, RestockNoticeDue)]
    assert all("example.com" not in str(message) for message in due)
    return [message.customer_id for message in due]


async def listed(api, status: str = "due") -> Any:
    answer = await api.get("/v1/restock-requests", params={"status": status})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_a_buyer_is_told_once_when_stock_comes_back(api, consume, db):
    await consume(sold_out())
    asked = await wait_for(api)
    assert (asked["status"], asked["email"]) == ("waiting", "b***@example.com")
    assert await tell(db) == []

    await consume(imported(5))

    assert await tell(db) == ["buyer-7"]
    assert await tell(db) == []
    [due] = await listed(api)
    assert (due["status"], due["email"]) == ("due", "b7@example.com")


async def test_as_many_as_there_are_units_the_oldest_first(api, consume, db):
    for number in range(5):
        await wait_for(api, number)

    await consume(imported(2))
    first = await tell(db) + await tell(db)
    await consume(imported(1), imported(1))
    second = await tell(db) + await tell(db)

    assert first == ["buyer-0", "buyer-1"]
    assert second == ["buyer-2", "buyer-3"]
    assert [it["customer_id"] for it in await listed(api, "waiting")] == ["buyer-4"]


async def test_units_are_told_of_to_buyers_of_the_pools_own_merchant_only(
    api, other_api, consume, db
):
    """Another merchant's product names this pool; its buyer even waited first."""
    await wait_for(other_api, 1)
    await wait_for(api, 2)

    await consume(imported(1))

    assert await tell(db) == ["buyer-2"]
    assert await tell(db) == []
    assert [it["customer_id"] for it in await listed(other_api, "waiting")] == ["buyer-1"]


async def test_units_that_are_gone_again_are_not_told_of(api, consume, db):
    await wait_for(api)
    await consume(imported(5))
    await consume(sold_out())

    assert await tell(db) == []


async def test_workers_side_by_side_tell_each_buyer_once(api, consume, db):
    for number in range(40):
        await wait_for(api, number)
    await consume(imported(25))

    told = [name for names in await asyncio.gather(*(tell(db) for _ in range(8))) for name in names]
    told += await tell(db)

    assert len(told) == len(set(told)) == 25
    assert set(told) == {f"buyer-{number}" for number in range(25)}


async def test_more_than_a_round_takes_are_told_in_the_next(api, consume, db, monkeypatch):
    await wait_for(api)
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO restock_request (id, merchant_id, product_id, pool_id, sku, "
                "customer_id, contact) SELECT gen_random_uuid(), merchant_id, product_id, "
                "pool_id, sku, 'many-' || n, contact "
                "FROM restock_request, generate_series(1, 450) n"
            )
        )
    await consume(imported(440))

    rounds = [len(await tell(db)) for _ in range(4)]

    assert rounds == [200, 200, 40, 0]


async def test_the_same_buyer_waits_once_and_the_newest_contact_counts(api, consume, db):
    first = await wait_for(api)
    second = await wait_for(api, email="new@example.com", phone="+86 138-0000-1234")
    await consume(imported(9))

    assert first["id"] == second["id"]
    assert await tell(db) == ["buyer-7"]
    [due] = await listed(api)
    assert (due["email"], due["phone"]) == ("new@example.com", "+86 138-0000-1234")


async def test_sides_by_side_requests_of_one_buyer_are_one(api):
    await api.post("/v1/products", json=PRODUCT)
    answers = await asyncio.gather(
        *(api.post("/v1/restock-requests", json=buyer()) for _ in range(10))
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_notice_that_was_sent_leaves_no_contact(api, consume, db):
    asked = await wait_for(api)
    await consume(imported(1))
    await tell(db)

    sent = await api.post(f"/v1/restock-requests/{asked['id']}/sent")
    again = await api.post(f"/v1/restock-requests/{asked['id']}/sent")

    assert (sent.status_code, sent.json()["status"], sent.json()["email"]) == (200, "sent", None)
    assert again.json() == sent.json()
    async with db.read() as tx:
        kept = await tx.execute(text("SELECT contact FROM restock_request"))
        assert list(kept.scalars()) == [None]
    await consume(sold_out())
    assert (await wait_for(api))["id"] != asked["id"], "one may wait again"


async def test_a_notice_that_is_not_due_cannot_have_been_sent(api):
    asked = await wait_for(api)

    answer = await api.post(f"/v1/restock-requests/{asked['id']}/sent")

    assert (answer.status_code, answer.json()["code"]) == (409, "restock_request_closed")


async def test_a_buyer_who_withdraws_is_not_told(api, consume, db):
    asked = await wait_for(api)
    path = f"/v1/restock-requests/{asked['id']}/withdraw"

    withdrawn = [await api.post(path), await api.post(path)]
    await consume(imported(5))

    assert [answer.json()["status"] for answer in withdrawn] == ["withdrawn"] * 2
    assert await tell(db) == []
    sent = await api.post(f"/v1/restock-requests/{asked['id']}/sent")
    assert sent.json()["code"] == "restock_request_closed"


async def test_the_contact_is_sealed_in_the_database_and_masked_without_its_scope(
    api, open_api, db
):
    await wait_for(api, phone="+8613800001234")
    reader = await open_api(sorted(MERCHANT_SCOPES - {"contacts:read"}))

    [masked] = await listed(reader, "waiting")
    [clear] = await listed(api, "waiting")

    assert (masked["email"], masked["phone"]) == ("b***@example.com", "***1234")
    assert (clear["email"], clear["phone"]) == ("b7@example.com", "+8613800001234")
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT * FROM restock_request"))).one()
    assert b"example" not in row.contact


async def test_what_waits_too_long_lapses_with_its_contact(api, db):
    await wait_for(api)
    await jobs.lapse(db, days=10)._run()
    assert len(await listed(api, "waiting")) == 1
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE restock_request SET requested_at = requested_at - interval '11 days'")
        )

    await jobs.lapse(db, days=10)._run()

    [lapsed] = await listed(api, "lapsed")
    assert lapsed["email"] is None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (buyer() | {"sku": "NONE"}, 404, "product_not_found"),
        (buyer() | {"sku": "DONE-BY-HAND"}, 422, "not_from_pool"),
        ({"sku": "GAME-100", "customer": {"id": "b"}}, 422, "validation_failed"),
        (buyer(email="no address"), 422, "validation_failed"),
    ],
)
async def test_what_cannot_be_waited_for_is_refused(body, status, code, api):
    await api.post("/v1/products", json=PRODUCT)
    by_hand = PRODUCT | {"sku": "DONE-BY-HAND", "fulfillment": {"kind": "manual", "queue": "q"}}
    assert (await api.post("/v1/products", json=by_hand)).status_code == 201

    answer = await api.post("/v1/restock-requests", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_what_is_in_stock_is_ordered_instead(api, consume):
    await api.post("/v1/products", json=PRODUCT)
    await consume(imported(1))

    answer = await api.post("/v1/restock-requests", json=buyer())

    assert (answer.status_code, answer.json()["code"]) == (409, "still_in_stock")


async def test_another_merchant_sees_and_ends_nothing(api, other_api):
    asked = await wait_for(api)

    assert await listed(other_api, "waiting") == []
    for act in ("sent", "withdraw"):
        answer = await other_api.post(f"/v1/restock-requests/{asked['id']}/{act}")
        assert (answer.status_code, answer.json()["code"]) == (404, "restock_request_not_found")
    answer = await other_api.post("/v1/restock-requests", json=buyer())
    assert answer.json()["code"] == "product_not_found"


class Shelf(Vault):
    """A vault that says how much it has, and lets something happen meanwhile."""

    def __init__(self, units: int, meanwhile=None) -> None:
        self.units, self.meanwhile, self.asked = units, meanwhile, 0

    async def available(self, merchant_id, pool_id) -> int:
        self.asked += 1
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.units


async def test_units_that_come_back_without_an_event_are_asked_for(api, consume, db):
    await consume(sold_out())
    await wait_for(api)
    await ask_for_stock(db, Shelf(0), every_seconds=1, ask_seconds=0)._run()
    assert await tell(db) == []

    await ask_for_stock(db, Shelf(3), every_seconds=1, ask_seconds=0)._run()

    assert await tell(db) == ["buyer-7"]


async def test_a_sold_out_pool_is_asked_about_now_and_then_only(consume, db):
    await consume(sold_out())
    shelf = Shelf(0)
    job = ask_for_stock(db, shelf, every_seconds=1, ask_seconds=3_600)

    await job._run()
    await job._run()

    assert shelf.asked == 0, "an event has just told of it"


async def test_an_event_that_comes_while_the_vault_is_asked_has_the_last_word(api, consume, db):
    await consume(sold_out())
    await wait_for(api)

    async def sell_out_again() -> None:
        await consume(sold_out())

    await ask_for_stock(db, Shelf(3, sell_out_again), every_seconds=1, ask_seconds=0)._run()

    assert await tell(db) == []
