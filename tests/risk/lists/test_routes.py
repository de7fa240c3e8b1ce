"""Lists as an operator keeps them, and what they mean for orders."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderedLine
from lockstock.risk.v1.assessment_events_pb2 import (
    DECISION_ALLOW,
    DECISION_DECLINE,
    DECISION_HOLD,
)
from risk.lists.domain import EntryKind
from risk.lists.service import ListService
from tests.risk.conftest import Assess
from tests.risk.factories import IP, MERCHANT, OTHER_MERCHANT, an_order
from tests.stack.api import ApiClient

HASH = "ab" * 32


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


async def put(client: httpx.AsyncClient, name: str, *entries: dict[str, Any]) -> httpx.Response:
    return await client.post(f"/v1/lists/{name}/entries", json={"entries": list(entries)})


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "ip", "value": IP},
        {"kind": "network", "value": "203.0.0.0/16"},
        {"kind": "device", "value": "phone"},
        {"kind": "contact", "value": HASH},
        {"kind": "customer", "value": "anna"},
        {"kind": "payer", "value": "card"},
        {"kind": "product", "value": "product-1"},
    ],
    ids=lambda entry: str(entry["kind"]),
)
async def test_what_is_on_the_block_list_is_declined(
    client: httpx.AsyncClient, assess: Assess, entry: dict[str, Any]
) -> None:
    assert (await put(client, "block", entry)).status_code == 201
    line = OrderedLine(line_no=1, sku="A", product_id="product-1", quantity=1)

    met, other = await assess(
        [
            an_order(
                customer_id="anna",
                device_id="phone",
                contact_hash=HASH,
                payer_hash="card",
                lines=[line],
            ),
            an_order(ip="198.51.100.7", customer_id="bob"),
        ]
    )

    assert (met.decision, other.decision) == (DECISION_DECLINE, DECISION_ALLOW)
    assert met.rules[0].explanation == "'block' in lists (lists = ['block'])"


async def test_what_is_on_the_allow_list_passes_other_rules_but_not_the_block_list(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    await put(client, "allow", {"kind": "customer", "value": "anna"})
    orders = [an_order(customer_id="anna") for _ in range(7)]

    assert {it.decision for it in await assess(orders)} == {DECISION_ALLOW}
    await put(client, "block", {"kind": "network", "value": "203.0.113.0/24"})
    assert [it.decision for it in await assess([an_order(customer_id="anna")])] == [
        DECISION_DECLINE
    ]


async def test_any_other_list_means_what_a_rule_makes_of_it(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    rule = {"name": "Watched", "condition": "'watch' in lists", "action": "hold"}
    await client.post("/v1/rules", json=rule)
    await put(client, "watch", {"kind": "device", "value": "phone"})

    held, passed = await assess([an_order(device_id="phone"), an_order(device_id="tablet")])

    assert (held.decision, passed.decision) == (DECISION_HOLD, DECISION_ALLOW)


async def test_an_address_of_ipv6_lies_in_its_network(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    await put(client, "block", {"kind": "network", "value": "2001:db8::/48"})

    inside, outside = await assess([an_order(ip="2001:db8:0:7::1"), an_order(ip="2001:db8:1::1")])

    assert (inside.decision, outside.decision) == (DECISION_DECLINE, DECISION_ALLOW)


async def test_an_entry_counts_until_it_expires(
    client: httpx.AsyncClient, assess: Assess, db: Database
) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await put(client, "block", {"kind": "ip", "value": IP, "expires_at": soon})
    before = await assess([an_order()])
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE list_entry SET expires_at = clock_timestamp()"))

    after = await assess([an_order()])

    assert [it.decision for it in (*before, *after)] == [DECISION_DECLINE, DECISION_ALLOW]
    url = "/v1/lists/block/entries"
    assert (await client.get(url)).json()["items"] == []
    expired = (await client.get(url, params={"with_expired": True})).json()["items"]
    assert [it["value"] for it in expired] == [IP]


async def test_a_value_is_on_a_list_once_and_the_last_word_counts(
    client: httpx.AsyncClient,
) -> None:
    await put(client, "watch", {"kind": "ip", "value": IP, "reason": "first"})
    again = await put(
        client,
        "watch",
        {"kind": "ip", "value": f"::ffff:{IP}", "reason": "second"},
        {"kind": "ip", "value": IP, "reason": "third"},
    )

    assert [it["reason"] for it in again.json()["entries"]] == ["third"]
    (entry,) = (await client.get("/v1/lists/watch/entries")).json()["items"]
    assert (entry["value"], entry["reason"]) == (IP, "third")


async def test_entries_are_put_on_a_list_in_bulk_and_read_in_pages(
    client: httpx.AsyncClient,
) -> None:
    many = [{"kind": "customer", "value": f"buyer-{number}"} for number in range(1_000)]

    assert len((await put(client, "watch", *many)).json()["entries"]) == 1_000

    seen, cursor = set(), None
    while True:
        params = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/lists/watch/entries", params=params)).json()
        seen |= {it["value"] for it in page["items"]}
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == {it["value"] for it in many}
    one = {"kind": "customer", "value": "buyer-7"}
    found = (await client.get("/v1/lists/watch/entries", params=one)).json()["items"]
    assert [it["value"] for it in found] == ["buyer-7"]
    too_many = await put(client, "watch", *many, one)
    assert too_many.status_code == 422


@pytest.mark.parametrize("kind", [EntryKind.CUSTOMER, None])
async def test_one_value_of_a_long_list_is_found_without_reading_the_list(
    client: httpx.AsyncClient, service: Service, kind: EntryKind | None
) -> None:
    for thousand in range(3):
        many = [
            {"kind": "customer", "value": f"buyer-{thousand}-{number}"} for number in range(1_000)
        ]
        await put(client, "watch", *many)
    lists = cast(ListService, service.state["lists"])
    async with service.db.transaction() as tx:
        # As the database does by itself from time to time.
        await tx.execute(text("ANALYZE list_entry"))

    async with service.db.transaction() as tx:
        (found,) = await lists.list_entries(
            tx,
            MERCHANT,
            "watch",
            kind=kind,
            value="buyer-1-7",
            with_expired=False,
            before=None,
            limit=51,
        )
        read = await tx.execute(
            text(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables "
                "WHERE relname = 'list_entry'"
            )
        )

    assert found.value == "buyer-1-7"
    assert read.scalar_one() < 100


async def test_one_wrong_value_refuses_all_and_is_named(client: httpx.AsyncClient) -> None:
    refused = await put(
        client, "block", {"kind": "ip", "value": IP}, {"kind": "network", "value": "1.2.3.4/24"}
    )

    assert (refused.status_code, refused.json()["code"]) == (422, "entry_refused")
    assert refused.json()["errors"][0]["pointer"] == "/entries/1/value"
    assert (await client.get("/v1/lists/block/entries")).json()["items"] == []


async def test_what_is_taken_off_a_list_counts_no_more(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    entry = (await put(client, "block", {"kind": "ip", "value": IP})).json()["entries"][0]
    url = f"/v1/lists/block/entries/{entry['id']}"

    assert (await client.delete(f"/v1/lists/allow/entries/{entry['id']}")).status_code == 404
    assert (await client.delete(url)).status_code == 204
    assert (await client.delete(url)).status_code == 404
    assert [it.decision for it in await assess([an_order()])] == [DECISION_ALLOW]


async def test_lists_are_each_merchants_own(
    client: httpx.AsyncClient, api: ApiClient, assess: Assess
) -> None:
    stranger = await api("risk:read", "risk:write", merchant_id=OTHER_MERCHANT)
    entry = (
        await put(
            stranger, "block", {"kind": "ip", "value": IP}, {"kind": "customer", "value": "a"}
        )
    ).json()["entries"][0]

    assert [it.decision for it in await assess([an_order(customer_id="a")])] == [DECISION_ALLOW]
    assert (await client.get("/v1/lists/block/entries")).json()["items"] == []
    taken = await client.delete(f"/v1/lists/block/entries/{entry['id']}")
    assert (taken.status_code, taken.json()["code"]) == (404, "entry_not_found")


@pytest.mark.parametrize("name", ["Block", "-st", "a" * 41, "b.l"])
async def test_a_list_has_a_plain_name(client: httpx.AsyncClient, name: str) -> None:
    assert (await put(client, name, {"kind": "ip", "value": IP})).status_code == 422


async def test_an_entry_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.delete(f"/v1/lists/block/entries/{new_id()}")).status_code == 404
