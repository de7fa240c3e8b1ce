import asyncio
import csv
import io
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from order.api_keys.domain import MERCHANT_SCOPES
from order.orders.domain import Customer
from order.search.domain import Filter
from tests.order.factories import (
    MERCHANT,
    SHOP,
    UNTRUSTED,
    a_line,
    an_order,
    fulfilling,
    placed,
)

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
BODY = {
    "channel_id": str(SHOP),
    "reference": "shop-1",
    "customer": {"id": "buyer-1", "email": "Anna@Example.com", "phone": "+86 138-0000-1234"},
    "lines": [{"sku": "GAME-100", "quantity": 1}],
}


async def found(api, **filters) -> list[str]:
    answer = await api.get("/v1/orders", params=filters)
    assert answer.status_code == 200, answer.text
    return [order["reference"] for order in answer.json()["items"]]


async def searched(api, **body) -> list[str]:
    answer = await api.post("/v1/orders/search", json=body)
    assert answer.status_code == 200, answer.text
    return [order["reference"] for order in answer.json()["items"]]


async def place_over_http(api, **given):
    product = {
        "sku": "GAME-100",
        "name": "Game card",
        "fulfillment": {"kind": "pool", "pool_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"},
        "price": {"amount": 1990, "currency": "CNY"},
    }
    await api.post("/v1/products", json=product)
    answer = await api.post("/v1/orders", json={**BODY, **given})
    assert answer.status_code == 201, answer.text


async def exported(api, **filters) -> list[dict[str, str]]:
    answer = await api.get("/v1/orders/export.csv", params=filters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize(
    ("filters", "references"),
    [
        ({"reference": "a"}, ["a"]),
        ({"reference": "z"}, []),
        ({"sku": "CARD-1"}, ["b"]),
        ({"sku": "CARD"}, []),
        ({"channel_id": str(UNTRUSTED)}, ["b"]),
        ({"customer_id": "buyer-7"}, ["c", "a"]),
        ({"status": "fulfilling"}, ["c"]),
        ({"status": ["fulfilling", "pending_payment"]}, ["c", "b", "a"]),
        ({"placed_from": "2026-11-27T13:00:00Z"}, ["c", "b"]),
        ({"placed_to": "2026-11-27T13:00:00Z"}, ["a"]),
        ({"placed_from": "2026-11-27T13:00:00Z", "placed_to": "2026-11-27T13:00:01Z"}, ["b"]),
        ({"paid_from": "2020-01-01T00:00:00Z"}, ["c"]),
        ({"paid_to": "2020-01-01T00:00:00Z"}, []),
        ({"customer_id": "buyer-7", "status": "pending_payment"}, ["a"]),
        ({"customer_id": "buyer-7", "sku": "CARD-1"}, []),
        ({"customer_id": "buyer-7", "sku": "GAME-100", "paid_from": "2020-01-01T00:00:00Z"}, ["c"]),
    ],
)
async def test_orders_are_found_by(filters, references, api, db):
    await placed(db, an_order(reference="a", placed_at=NOON))
    other = an_order(
        reference="b",
        placed_at=NOON + HOUR,
        channel_id=UNTRUSTED,
        customer=Customer("buyer-8"),
        lines=[a_line(sku="CARD-1"), a_line(line_no=2, sku="CARD-2")],
    )
    await placed(db, other)
    await fulfilling(db, an_order(reference="c", placed_at=NOON + 2 * HOUR))

    assert await found(api, **filters) == references


@pytest.mark.parametrize(
    ("contact", "references"),
    [
        ({"email": "anna@example.com"}, ["shop-1"]),
        ({"phone": "+8613800001234"}, ["shop-1"]),
        ({"phone": "86 138 0000 1234", "email": "ANNA@example.com"}, ["shop-1"]),
        ({"phone": "13800001234"}, []),
        ({"email": "ann@example.com"}, []),
        ({"email": "anna@example.com", "phone": "00000"}, []),
        ({"email": "anna@example.com", "status": ["paid"]}, []),
    ],
)
async def test_an_order_is_found_by_email_and_by_phone(contact, references, api):
    await place_over_http(api)

    assert await searched(api, **contact) == references


async def test_a_contact_in_the_address_is_not_a_filter_and_not_a_way_to_find(api):
    await place_over_http(api)

    assert await found(api, email="nobody@example.com") == ["shop-1"]


async def test_another_merchants_orders_are_not_found(api, other_api):
    await place_over_http(api)

    assert await found(other_api) == []
    assert await found(other_api, sku="GAME-100") == []
    assert await searched(other_api, email="anna@example.com") == []
    assert await exported(other_api) == []


async def test_pages_follow_each_other_also_among_orders_of_the_same_moment(api, db):
    for number in range(5):
        await placed(db, an_order(reference=f"o-{number}", placed_at=NOON))

    seen, cursor = [], None
    while True:
        body = {"limit": 2, "sku": "GAME-100", "cursor": cursor}
        page = (await api.post("/v1/orders/search", json=body)).json()
        seen += [order["reference"] for order in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == ["o-4", "o-3", "o-2", "o-1", "o-0"]


@pytest.mark.parametrize("name", ["placed", "paid"])
async def test_a_range_that_ends_before_it_begins_is_refused(name, api):
    ends = {f"{name}_from": "2026-11-27T13:00:00Z", f"{name}_to": "2026-11-27T13:00:00Z"}
    answers = [
        await api.get("/v1/orders", params=ends),
        await api.post("/v1/orders/search", json=ends),
        await api.get("/v1/orders/export.csv", params=ends),
        await api.post("/v1/orders/export", json=ends),
    ]

    assert [answer.status_code for answer in answers] == [422] * 4
    assert {answer.json()["code"] for answer in answers} == {"empty_range"}


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WyIyMDI2LTExLTI3VDEyOjAwOjAwIiwieCJd"])
async def test_a_cursor_that_no_list_gave_out_is_refused(cursor, api):
    answer = await api.post("/v1/orders/search", json={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")


async def test_an_export_has_a_row_for_each_line_and_masks_contacts(open_api, db):
    customer = Customer("buyer-7", email="anna@example.com", phone="+8613800001234")
    lines = [a_line(), a_line(line_no=2, sku="CARD-1", name="=HYPERLINK(1)", quantity=2)]
    await placed(db, an_order(reference="a", placed_at=NOON, customer=customer, lines=lines))
    api = await open_api(sorted(MERCHANT_SCOPES - {"contacts:read"}))

    rows = await exported(api)

    assert [(row["line_no"], row["sku"], row["line_total_minor"]) for row in rows] == [
        ("1", "GAME-100", "1990"),
        ("2", "CARD-1", "3980"),
    ]
    assert {row["email"] for row in rows} == {"a***@example.com"}
    assert {row["phone"] for row in rows} == {"***1234"}
    assert {row["placed_at"] for row in rows} == {"2026-11-27T12:00:00Z"}
    assert rows[1]["name"] == "'=HYPERLINK(1)"


async def test_contacts_are_in_clear_for_a_key_with_that_scope(open_api, db):
    customer = Customer("buyer-7", email="anna@example.com", phone="+8613800001234")
    await placed(db, an_order(customer=customer))
    api = await open_api(["orders:read", "contacts:read"])

    [row] = await exported(api)

    assert (row["email"], row["phone"]) == ("anna@example.com", "'+8613800001234")


async def test_every_export_is_recorded_with_its_filter_and_rows(api, other_api, db):
    await placed(db, an_order(lines=[a_line(), a_line(line_no=2)]))
    await placed(db)
    await exported(api, sku="GAME-100", status="pending_payment")
    answer = await api.post("/v1/orders/export", json={"email": "nobody@example.com"})
    assert answer.status_code == 200

    by_contact, by_sku = (await api.get("/v1/order-exports")).json()["items"]

    assert (by_sku["orders"], by_sku["rows"]) == (2, 3)
    assert by_sku["filter"] == {"sku": "GAME-100", "statuses": ["pending_payment"]}
    assert by_sku["requested_by"].startswith("key:")
    assert by_sku["finished_at"]
    assert by_sku["has_contacts"]
    assert (by_contact["orders"], by_contact["rows"]) == (0, 0)
    assert "nobody" not in str(by_contact)
    assert (await other_api.get("/v1/order-exports")).json()["items"] == []


async def test_who_may_not_read_orders_may_not_search_or_export(open_api):
    api = await open_api(["catalogue:read", "contacts:read"])
    answers = [
        await api.get("/v1/orders"),
        await api.post("/v1/orders/search", json={}),
        await api.get("/v1/orders/export.csv"),
        await api.post("/v1/orders/export", json={}),
        await api.get("/v1/order-exports"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5


async def test_an_export_of_many_orders_keeps_a_page_in_memory_at_a_time(service, make_orders):
    await make_orders(10_000)
    search, wanted = service.state["search"], Filter()
    export_id = await search.begin_export(MERCHANT, wanted, "test", has_contacts=False)
    rows, size = 0, 0
    tracemalloc.start()
    async for chunk in search.export(export_id, MERCHANT, wanted, has_contacts=False):
        rows, size = rows + chunk.count(b"\r\n"), size + len(chunk)
        if size > 1_000_000:
            break
        await asyncio.sleep(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size > 1_000_000
    assert peak < 6_000_000, f"{peak} bytes at most, {size} written"
    async with service.db.read() as tx:
        record = (
            await tx.execute(text("SELECT * FROM order_export WHERE id = :id"), {"id": export_id})
        ).one()
    assert record.rows >= rows - 1, "never fewer than were handed out"
    assert record.finished_at is None
