"""Orders judged while they are placed: an allow is acted on, the rest waits for the event."""

import asyncio
from base64 import b64encode
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.messaging.events import Event
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from lockstock.risk.v1.assessment_events_pb2 import DECISION_ALLOW, DECISION_HOLD
from tests.risk.conftest import Assess
from tests.risk.factories import an_order
from tests.stack.api import ApiClient

PATH = "/v1/order-assessments"


@pytest.fixture
async def order_service(api: ApiClient) -> httpx.AsyncClient:
    return await api("platform:write")


def an_ask(*orders: Event[OrderPlaced]) -> dict[str, list[str]]:
    return {"items": [b64encode(it.message.SerializeToString()).decode() for it in orders]}


async def ask(client: httpx.AsyncClient, *orders: Event[OrderPlaced]) -> list[str | None]:
    answer = await client.post(PATH, json=an_ask(*orders))
    assert answer.status_code == 200, answer.text
    items: list[str | None] = answer.json()["items"]
    return items


async def count(db: Database, table: str) -> int:
    async with db.read() as tx:
        return int((await tx.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())  # noqa: S608 - a test's own table names


async def test_an_allowed_order_is_recorded_and_counts_once(
    order_service: httpx.AsyncClient, assess: Assess, db: Database
) -> None:
    order = an_order()

    [assessment_id] = await ask(order_service, order)

    assert assessment_id is not None
    assert await count(db, "event_log") == 0
    order.message.assessment_id = assessment_id
    assert await assess([order]) == []
    assert await count(db, "purchase") == 1
    assert await count(db, "assessment") == 1


async def test_of_calls_that_come_together_each_gets_its_own_answers(
    order_service: httpx.AsyncClient, db: Database
) -> None:
    some = [[an_order(ip=f"203.0.113.{n}") for _ in range(2 + 4 * (n == 7))] for n in range(10)]

    answers = await asyncio.gather(*(ask(order_service, *orders) for orders in some))

    # Of the one address the sixth is not allowed, whoever else was asked about beside it.
    refused = [[it is None for it in answer] for answer in answers]
    assert refused == [[False] * 2] * 7 + [[False] * 5 + [True]] + [[False] * 2] * 2
    assert await count(db, "assessment") == 9 * 2 + 5


async def test_what_order_did_not_hear_is_told_when_the_order_is_placed(
    order_service: httpx.AsyncClient, assess: Assess, db: Database
) -> None:
    order = an_order()
    [assessment_id] = await ask(order_service, order)

    [told] = await assess([order])

    assert (told.assessment_id, told.decision) == (assessment_id, DECISION_ALLOW)
    assert told.order_id == order.message.order_id
    assert await count(db, "purchase") == 1


async def test_an_order_that_is_not_allowed_is_judged_when_it_is_placed(
    order_service: httpx.AsyncClient, assess: Assess, db: Database
) -> None:
    orders = [an_order(at=datetime.now(UTC)) for _ in range(7)]

    answers = await ask(order_service, *orders)

    assert [it is not None for it in answers] == [True] * 5 + [False] * 2
    assert await count(db, "purchase") == 5
    assert await count(db, "review") == 0
    held = await assess(orders[5:])
    assert [it.decision for it in held] == [DECISION_HOLD] * 2
    assert await count(db, "review") == 2


async def test_the_same_order_again_gets_no_second_answer(
    order_service: httpx.AsyncClient, db: Database
) -> None:
    order = an_order()

    first, again = [await ask(order_service, order) for _ in range(2)]

    assert first != [None]
    assert again == [None]
    assert await count(db, "assessment") == 1


async def test_callers_at_the_same_moment_are_not_allowed_more_than_the_rule_says(
    order_service: httpx.AsyncClient, db: Database
) -> None:
    answers = await asyncio.gather(
        *(ask(order_service, *(an_order() for _ in range(3))) for _ in range(6))
    )

    allowed = [it for items in answers for it in items if it is not None]
    assert len(allowed) == 5
    assert len(set(allowed)) == 5
    assert await count(db, "purchase") == 5


@pytest.mark.parametrize(
    "item",
    ["", "AAAA", b64encode(OrderPlaced(order_id="x").SerializeToString()).decode(), "not base64!"],
)
async def test_what_is_no_order_is_refused(
    order_service: httpx.AsyncClient, db: Database, item: str
) -> None:
    answer = await order_service.post(PATH, json={"items": [item]})

    assert answer.status_code == 422, answer.text
    assert await count(db, "purchase") == 0


async def test_a_shop_may_not_judge_orders(api: ApiClient) -> None:
    shop = await api("risk:read", "risk:write")

    answer = await shop.post(PATH, json=an_ask(an_order()))

    assert answer.status_code == 403
