"""Work on the queue: who looks at what, notes, many at once, time limits; each act in the log."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.db import Database
from kit.errors import DomainError
from kit.ids import new_id
from kit.service import Service
from lockstock.risk.v1.assessment_events_pb2 import DECISION_ALLOW, DECISION_DECLINE
from risk.reviews.jobs import decide_due_reviews
from tests.risk.conftest import Assess
from tests.risk.factories import OTHER_MERCHANT, an_order
from tests.risk.reviews.test_routes import published
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write", "reviews:write")


async def held(client: httpx.AsyncClient, assess: Assess, count: int = 1) -> list[dict[str, Any]]:
    """So many reviews, newest first."""
    await assess([an_order() for _ in range(5 + count)])
    items: list[dict[str, Any]] = (await client.get("/v1/reviews?status=open")).json()["items"]
    assert len(items) == count
    return items


async def acts(client: httpx.AsyncClient, review: dict[str, Any]) -> list[tuple[str, str]]:
    items = (await client.get(f"/v1/reviews/{review['id']}/acts")).json()["items"]
    assert all(it["actor"] and it["at"] for it in items)
    return [(it["act"], it["note"]) for it in items]


async def set_policy(client: httpx.AsyncClient, **policy: Any) -> None:
    answer = await client.put("/v1/review-policy", json=policy)
    assert answer.status_code == 200, answer.text


async def pass_time(service: Service) -> None:
    """An hour goes by for every review."""
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE review SET due_at = due_at - interval '1 hour'"))
    job = decide_due_reviews(service.db, service.state["reviews"], every_seconds=1)
    while await job._run():
        pass


async def test_each_act_is_in_the_log_with_its_reason(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    [review] = await held(client, assess)
    url = f"/v1/reviews/{review['id']}"

    given = await client.post(f"{url}/assign", json={"assignee": "ann"})
    await client.post(f"{url}/notes", json={"note": "calls back at noon"})
    await client.post(f"{url}/assign", json={"assignee": None})
    await client.post(f"{url}/approve", json={"note": "a regular"})
    after = await client.post(f"{url}/notes", json={"note": "sent flowers"})

    assert given.json()["assignee"] == "ann"
    assert after.status_code == 200
    assert await acts(client, review) == [
        ("assigned", "ann"),
        ("noted", "calls back at noon"),
        ("unassigned", ""),
        ("approved", "a regular"),
        ("noted", "sent flowers"),
    ]


async def test_what_the_log_says_cannot_be_rewritten(
    client: httpx.AsyncClient, assess: Assess, db: Database
) -> None:
    [review] = await held(client, assess)
    await client.post(f"/v1/reviews/{review['id']}/decline", json={"note": "no"})

    with pytest.raises((DBAPIError, DomainError)):
        async with db.transaction() as tx:
            await tx.execute(text("UPDATE review_act SET actor = 'nobody'"))


async def test_a_closed_review_is_given_to_nobody(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    [review] = await held(client, assess)
    await client.post(f"/v1/reviews/{review['id']}/decline", json={})

    refused = await client.post(f"/v1/reviews/{review['id']}/assign", json={"assignee": "ann"})

    assert (refused.status_code, refused.json()["code"]) == (409, "review_closed")


@pytest.mark.parametrize(
    ("verb", "decision"), [("approve", DECISION_ALLOW), ("decline", DECISION_DECLINE)]
)
async def test_many_are_decided_together_each_once(
    client: httpx.AsyncClient, assess: Assess, db: Database, verb: str, decision: int
) -> None:
    first, *rest = await held(client, assess, 4)
    await client.post(f"/v1/reviews/{first['id']}/approve", json={})
    unknown = str(new_id())
    ids = [first["id"], *(it["id"] for it in rest), unknown]
    body = {"decision": verb, "review_ids": ids, "note": "one ring"}

    answers = await asyncio.gather(
        *(client.post("/v1/reviews/decisions", json=body) for _ in range(3))
    )

    results = [[it["result"] for it in answer.json()["items"]] for answer in answers]
    assert sorted(results).count(["closed", "decided", "decided", "decided", "not_found"]) == 1
    assert results.count(["closed"] * 4 + ["not_found"]) == 2
    for review in rest:
        told = await published(db, review["order_id"])
        assert [it.decision for it in told][1:] == [decision]
        assert told[-1].note == "one ring"
        assert (await acts(client, review))[-1][1] == "one ring"


async def test_the_queue_is_filtered_by_person_time_and_lateness(
    client: httpx.AsyncClient, assess: Assess, service: Service
) -> None:
    await set_policy(client, review_minutes=30, after_time="keep")
    newest, middle, oldest = await held(client, assess, 3)
    await client.post(f"/v1/reviews/{middle['id']}/assign", json={"assignee": "ann"})

    async def ids(**filters: Any) -> list[str]:
        found = await client.get("/v1/reviews", params=filters)
        return [it["id"] for it in found.json()["items"]]

    assert await ids(assignee="ann") == [middle["id"]]
    assert await ids(is_overdue=True) == []
    assert await ids(opened_from=newest["opened_at"]) != []
    assert await ids(opened_to=oldest["opened_at"]) == []
    await pass_time(service)
    assert len(await ids(is_overdue=True)) == 3
    assert await ids(status="open", is_overdue=False) == []


@pytest.mark.parametrize(
    ("after_time", "status", "decision"),
    [("approve", "approved", DECISION_ALLOW), ("decline", "declined", DECISION_DECLINE)],
)
async def test_what_nobody_decides_in_time_is_decided_as_the_merchant_said(
    client: httpx.AsyncClient,
    assess: Assess,
    service: Service,
    after_time: str,
    status: str,
    decision: int,
) -> None:
    await set_policy(client, review_minutes=30, after_time=after_time)
    [review] = await held(client, assess)
    await set_policy(client, review_minutes=30, after_time="keep")

    await pass_time(service)

    read = (await client.get(f"/v1/reviews/{review['id']}")).json()
    assert (read["status"], read["decided_by"]) == (status, "time limit")
    told = await published(service.db, review["order_id"])
    assert [it.decision for it in told][1:] == [decision]
    assert await acts(client, review) == [(status, "nobody decided in time")]


async def test_kept_or_without_a_limit_or_in_time_it_waits_on(
    client: httpx.AsyncClient, assess: Assess, service: Service
) -> None:
    [without] = await held(client, assess)
    await set_policy(client, review_minutes=30, after_time="keep")
    await assess([an_order()])
    await set_policy(client, review_minutes=90, after_time="decline")
    await assess([an_order()])

    await pass_time(service)

    items = (await client.get("/v1/reviews")).json()["items"]
    assert [(it["status"], it["is_overdue"]) for it in items] == [
        ("open", False),
        ("open", True),
        ("open", False),
    ]
    assert without["due_at"] is None


async def test_each_time_it_opens_it_may_wait_as_long(
    client: httpx.AsyncClient, assess: Assess, service: Service
) -> None:
    await set_policy(client, review_minutes=90, after_time="decline")
    [review] = await held(client, assess)
    await set_policy(client, review_minutes=10, after_time="approve")
    orders = [UUID(review["order_id"])]

    waits = []
    for _ in range(3):
        async with service.db.transaction() as tx:
            # Long ago; and so was the last time that it opened.
            await tx.execute(
                text(
                    "UPDATE review SET opened_at = opened_at - interval '1 day', "
                    "due_at = due_at - interval '1 day'"
                )
            )
            await service.state["reviews"].lapse(tx, orders)
        async with service.db.transaction() as tx:
            await service.state["reviews"].reopen(tx, orders)
            left = await tx.execute(
                text(
                    "SELECT round(extract(epoch FROM due_at - clock_timestamp()) / 60) FROM review"
                )
            )
            waits.append(left.scalar_one())

    assert waits == [90, 90, 90]


async def test_another_merchant_does_nothing_to_it(
    api: ApiClient, client: httpx.AsyncClient, assess: Assess
) -> None:
    [review] = await held(client, assess)
    stranger = await api("risk:read", "reviews:write", merchant_id=OTHER_MERCHANT)
    url = f"/v1/reviews/{review['id']}"

    answers = [
        await stranger.post(f"{url}/assign", json={"assignee": "eve"}),
        await stranger.post(f"{url}/notes", json={"note": "hello"}),
        await stranger.get(f"{url}/acts"),
    ]
    many = await stranger.post(
        "/v1/reviews/decisions", json={"decision": "approve", "review_ids": [review["id"]]}
    )

    assert {it.status_code for it in answers} == {404}
    assert many.json()["items"] == [{"id": review["id"], "result": "not_found"}]
    assert (await client.get(url)).json()["status"] == "open"
