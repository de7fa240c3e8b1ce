"""A person decides, once."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderCancelled, OrderExpired, OrderHeld
from lockstock.risk.v1.assessment_events_pb2 import (
    DECISION_ALLOW,
    DECISION_DECLINE,
    OrderAssessed,
)
from tests.risk.conftest import Assess
from tests.risk.factories import MERCHANT, OTHER_MERCHANT, an_order
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "reviews:write")


@pytest.fixture
async def review(client: httpx.AsyncClient, assess: Assess) -> dict[str, Any]:
    """The review of a sixth purchase."""
    await assess([an_order() for _ in range(6)])
    (review,) = (await client.get("/v1/reviews")).json()["items"]
    return dict(review)


async def published(db: Database, order_id: str) -> list[OrderAssessed]:
    async with db.read() as tx:
        rows = await tx.execute(
            text("SELECT payload FROM event_log WHERE key = :key ORDER BY version"),
            {"key": order_id},
        )
        return [OrderAssessed.FromString(row.payload) for row in rows]


async def test_a_held_order_waits_with_its_reason(review: dict[str, Any]) -> None:
    assert review["status"] == "open"
    assert "purchases_by_ip_1h = 6" in review["reason"]


@pytest.mark.parametrize(
    ("verb", "status", "decision"),
    [("approve", "approved", DECISION_ALLOW), ("decline", "declined", DECISION_DECLINE)],
)
async def test_a_decision_is_published_with_its_reviewer_and_note(
    client: httpx.AsyncClient,
    db: Database,
    review: dict[str, Any],
    verb: str,
    status: str,
    decision: int,
) -> None:
    answer = await client.post(f"/v1/reviews/{review['id']}/{verb}", json={"note": "called"})

    assert (answer.status_code, answer.json()["status"]) == (200, status)
    _, second = await published(db, review["order_id"])
    assert (second.decision, second.note) == (decision, "called")
    assert second.reviewer == answer.json()["decided_by"] != ""
    assert second.assessment_id == review["assessment_id"]


async def test_twenty_decisions_at_once_are_one(
    client: httpx.AsyncClient, db: Database, review: dict[str, Any]
) -> None:
    verbs = ["approve", "decline"] * 10

    answers = await asyncio.gather(
        *(client.post(f"/v1/reviews/{review['id']}/{verb}", json={}) for verb in verbs)
    )

    assert sorted(it.status_code for it in answers) == [200] + [409] * 19
    assert {it.json()["code"] for it in answers if it.status_code == 409} == {"review_closed"}
    assert len(await published(db, review["order_id"])) == 2


async def test_a_repeat_with_its_idempotency_key_replays_and_publishes_once(
    client: httpx.AsyncClient, db: Database, review: dict[str, Any]
) -> None:
    url, headers = f"/v1/reviews/{review['id']}/approve", {"Idempotency-Key": "k1"}
    first = await client.post(url, json={"note": "ok"}, headers=headers)

    again = await client.post(url, json={"note": "ok"}, headers=headers)

    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await published(db, review["order_id"])) == 2


async def test_a_second_decision_names_the_first(
    client: httpx.AsyncClient, review: dict[str, Any]
) -> None:
    await client.post(f"/v1/reviews/{review['id']}/approve", json={})

    refused = await client.post(f"/v1/reviews/{review['id']}/decline", json={})

    assert (refused.status_code, refused.json()["status_of_review"]) == (409, "approved")


async def test_reviews_are_filtered_and_paged_newest_first(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    await assess([an_order() for _ in range(9)])
    items = (await client.get("/v1/reviews")).json()["items"]
    await client.post(f"/v1/reviews/{items[0]['id']}/approve", json={})

    waiting = (await client.get("/v1/reviews", params={"status": "open", "limit": 2})).json()
    rest = await client.get(
        "/v1/reviews", params={"status": "open", "limit": 2, "cursor": waiting["next_cursor"]}
    )
    of_order = await client.get("/v1/reviews", params={"order_id": items[2]["order_id"]})

    assert [it["id"] for it in waiting["items"] + rest.json()["items"]] == [
        it["id"] for it in items[1:]
    ]
    assert of_order.json()["items"] == [items[2]]


@pytest.mark.parametrize("message_class", [OrderCancelled, OrderExpired])
async def test_an_order_that_ends_takes_its_review_along(
    service: Service,
    client: httpx.AsyncClient,
    review: dict[str, Any],
    message_class: type[OrderCancelled] | type[OrderExpired],
) -> None:
    await _deliver(service, message_class(order_id=review["order_id"]))

    read = (await client.get(f"/v1/reviews/{review['id']}")).json()
    refused = await client.post(f"/v1/reviews/{review['id']}/approve", json={})

    assert read["status"] == "lapsed"
    assert refused.status_code == 409


async def test_a_review_that_lapsed_is_open_again_when_the_order_is_paid_late_and_held(
    service: Service, client: httpx.AsyncClient, review: dict[str, Any]
) -> None:
    await _deliver(service, OrderExpired(order_id=review["order_id"]))

    await _deliver(service, OrderHeld(order_id=review["order_id"]))

    answer = await client.post(f"/v1/reviews/{review['id']}/approve", json={})
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")


async def test_a_decided_review_does_not_lapse(
    service: Service, client: httpx.AsyncClient, review: dict[str, Any]
) -> None:
    await client.post(f"/v1/reviews/{review['id']}/decline", json={})

    await _deliver(service, OrderCancelled(order_id=review["order_id"]))

    assert (await client.get(f"/v1/reviews/{review['id']}")).json()["status"] == "declined"


async def test_another_merchant_neither_sees_nor_decides(
    api: ApiClient, review: dict[str, Any]
) -> None:
    stranger = await api("risk:read", "reviews:write", merchant_id=OTHER_MERCHANT)

    assert (await stranger.get("/v1/reviews")).json()["items"] == []
    decided = await stranger.post(f"/v1/reviews/{review['id']}/approve", json={})
    assert (decided.status_code, decided.json()["code"]) == (404, "review_not_found")


async def test_deciding_needs_its_own_scope(api: ApiClient) -> None:
    writer = await api("risk:read", "risk:write")

    refused = await writer.post(f"/v1/reviews/{new_id()}/approve", json={})

    assert (refused.status_code, refused.json()["scope"]) == (403, "reviews:write")


async def _deliver(service: Service, message: Message) -> None:
    order_id = str(UUID(getattr(message, "order_id")))  # noqa: B009 - either class has it
    event = Event(
        id=new_id(),
        type=message.DESCRIPTOR.full_name,
        topic="lockstock.order.order",
        key=order_id,
        version=2,
        time=an_order().time,
        merchant_id=str(MERCHANT),
        traceparent=None,
        request_id=None,
        message=message,
    )
    async with service.db.transaction() as tx:
        for handler in service.handlers:
            if handler.message_class is type(message):
                await handler.fn(tx, [event])
