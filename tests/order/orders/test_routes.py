"""Reading orders: found by reference and state, paged, told in order, nobody else's."""

import httpx

from kit.db import Database
from kit.ids import new_id
from tests.order.conftest import Consume
from tests.order.factories import EMAIL, assessed, delivered, fulfilling, paid, placed


async def test_an_order_shows_its_deliveries_with_masks_only(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    await consume(delivered(order, order.lines[0]))

    answer = await api.get(f"/v1/orders/{order.id}")

    read = answer.json()
    assert read["status"] == "completed"
    assert read["lines"][0]["status"] == "delivered"
    [delivery] = read["deliveries"]
    assert delivery["line_id"] == str(order.lines[0].id)
    assert delivery["url"] == "https://example.com/d/token"
    assert [unit["mask"] for unit in delivery["units"]] == ["12****89"]
    assert EMAIL not in answer.text


async def test_orders_are_found_by_reference_and_state_and_paged(
    api: httpx.AsyncClient, db: Database
) -> None:
    orders = [await placed(db) for _ in range(5)]
    await paid(db, orders[0])

    by_reference = (await api.get(f"/v1/orders?reference={orders[2].reference}")).json()
    by_state = (await api.get("/v1/orders?status=paid")).json()
    first = (await api.get("/v1/orders?limit=3")).json()
    second = (await api.get(f"/v1/orders?limit=3&cursor={first['next_cursor']}")).json()

    assert [order["id"] for order in by_reference["items"]] == [str(orders[2].id)]
    assert [order["id"] for order in by_state["items"]] == [str(orders[0].id)]
    listed = [order["id"] for order in first["items"] + second["items"]]
    assert listed == sorted((str(order.id) for order in orders), reverse=True)
    assert second["next_cursor"] is None


async def test_the_timeline_is_paged_in_order(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    order = await placed(db)
    await consume(assessed(order, "HOLD"))
    await paid(db, order)
    await consume(assessed(order, reviewer="ann", note="known buyer"))
    await consume(delivered(order, order.lines[0]))

    path = f"/v1/orders/{order.id}/timeline?limit=2"
    page = (await api.get(path)).json()
    kinds = [entry["kind"] for entry in page["items"]]
    while page["next_cursor"]:
        page = (await api.get(f"{path}&cursor={page['next_cursor']}")).json()
        kinds += [entry["kind"] for entry in page["items"]]

    assert kinds == [
        "placed",
        "assessed",
        "paid",
        "held",
        "assessed",
        "released",
        "fulfillment_requested",
        "line_delivered",
        "completed",
    ]


async def test_another_merchants_orders_are_not_seen(
    other_api: httpx.AsyncClient, db: Database
) -> None:
    order = await placed(db)

    assert (await other_api.get(f"/v1/orders/{order.id}")).status_code == 404
    assert (await other_api.get(f"/v1/orders/{order.id}/timeline")).status_code == 404
    assert (await other_api.post(f"/v1/orders/{order.id}/cancel")).status_code == 404
    assert (await other_api.get("/v1/orders")).json()["items"] == []
    assert (await other_api.get(f"/v1/orders?reference={order.reference}")).json()["items"] == []


async def test_bad_queries_name_the_field(api: httpx.AsyncClient) -> None:
    for path, pointer in (
        ("/v1/orders?status=lost", "query/status/0"),
        ("/v1/orders?limit=0", "query/limit"),
        ("/v1/orders?limit=201", "query/limit"),
        ("/v1/orders?reference=%00", "query/reference"),
        ("/v1/orders/no-uuid", "path/order_id"),
    ):
        answer = await api.get(path)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_what_does_not_exist_is_not_found(api: httpx.AsyncClient) -> None:
    for path in (f"/v1/orders/{new_id()}", f"/v1/orders/{new_id()}/timeline"):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")
