"""What a buyer reads about a line without codes: how it stands, and where the money is."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from fulfillment.deliveries.domain import Attempt, Delivered, Failed, Kind, Retry, Settled, Task
from fulfillment.kinds.top_up.service import TopUpKind
from fulfillment.links import PageLink, PageLinks
from fulfillment.tasks.service import TaskService
from kit.db import Database
from kit.messaging.events import Event, topic_of, type_of
from kit.service import Service
from lockstock.common.v1.money_pb2 import Money
from lockstock.order.v1.order_events_pb2 import (
    OrderPartiallyCompleted,
    OrderRefunded,
    SettledLine,
)
from tests.fulfillment.conftest import LINK_SECRET, Accept, ApiClient
from tests.fulfillment.factories import a_request
from tests.fulfillment.top_ups import a_top_up

ACCOUNT = "13800138000"
LINKS = PageLinks("http://fulfillment", LINK_SECRET)
# Only its name is used.
KIND: Kind = TopUpKind(None, None, None, None)  # type: ignore[arg-type]


@pytest.fixture
async def order(accept: Accept) -> Any:
    """A paid order of one top-up."""
    event = a_request(lines=[a_top_up(ACCOUNT)], reservation_id="")
    await accept(event)
    return event.message


async def settle(service: Service, *attempts: Any) -> None:
    """Writes down what a worker found out; each attempt is made of its task."""
    working: TaskService = service.state["tasks"]
    async with service.db.transaction() as tx:
        tasks = await working.take(tx, KIND, 10)
        made: Sequence[Attempt] = [
            attempt(task) for task, attempt in zip(tasks, attempts, strict=True)
        ]
        await working.record(tx, made)


def unknown(task: Task) -> Attempt:
    return Retry(task, "no_answer", 0, is_unknown=True)


def done(task: Task) -> Attempt:
    return Settled(task, (Delivered(task.deliveries[0].id, (), (), "SIM-77"),))


def refused(task: Task) -> Attempt:
    return Settled(task, (Failed(task.deliveries[0].id, "account_unknown"),))


async def read(api: ApiClient, db: Database, language: str = "en") -> tuple[str, Any]:
    """(the page, its progress)"""
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT page_id, page_ends_at FROM request"))).one()
    path = f"/d/{LINKS.token(PageLink(row.page_id, row.page_ends_at))}"
    browser: httpx.AsyncClient = await api()
    page = await browser.get(path, headers={"Accept-Language": language})
    assert page.status_code == 200
    return page.text, (await browser.get(path + "/progress")).json()


async def tell(service: Service, message: Any) -> None:
    """An event of the order."""
    event: Event[Any] = Event(
        id=UUID(int=1),
        type=type_of(type(message)),
        topic=topic_of(type(message)),
        key=message.order_id,
        version=2,
        time=datetime.now(UTC),
        merchant_id=message.merchant_id,
        traceparent=None,
        request_id=None,
        message=message,
    )
    async with service.db.transaction() as tx:
        for handler in service.handlers:
            if handler.message_class is type(message):
                await handler.fn(tx, [event])


@pytest.mark.usefixtures("order")
async def test_a_top_up_tells_how_it_stands_in_both_languages(
    service: Service, api: ApiClient, db: Database
) -> None:
    page, progress = await read(api, db)
    assert "Your top-up is on its way" in page
    assert progress["is_moving"]

    await settle(service, unknown)
    page, progress = await read(api, db)
    assert "has not confirmed your top-up yet" in page
    assert set(progress["states"].values()) == {"unknown"}
    assert "请勿重复购买" in (await read(api, db, "zh"))[0]
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE task SET due_at = clock_timestamp()"))

    await settle(service, done)
    page, progress = await read(api, db)
    assert "Topped up" in page
    assert "SIM-77" in page
    assert not progress["is_moving"]
    assert "充值成功" in (await read(api, db, "zh"))[0]


async def test_a_failed_line_says_where_the_money_is_until_it_is_back(
    service: Service, api: ApiClient, db: Database, order: Any
) -> None:
    await settle(service, refused)
    page, progress = await read(api, db)
    assert "or your money goes back" in page
    assert "Your order could not be delivered" in page
    assert progress["is_moving"]
    assert "account_unknown" not in page

    line = SettledLine(line_id=order.lines[0].line_id, delivered=False)
    await tell(
        service,
        OrderPartiallyCompleted(
            order_id=order.order_id,
            merchant_id=order.merchant_id,
            lines=[line],
            refunded=Money(amount_minor=5000, currency="CNY"),
        ),
    )

    page, progress = await read(api, db)
    assert "Your money was returned" in page
    assert set(progress["states"].values()) == {"refunded"}
    assert not progress["is_moving"]
    assert "款项已退回" in (await read(api, db, "zh"))[0]


async def test_an_order_that_is_refunded_whole_says_so_too(
    service: Service, api: ApiClient, db: Database, order: Any
) -> None:
    await settle(service, refused)

    amount = Money(amount_minor=5000, currency="CNY")
    await tell(
        service,
        OrderRefunded(order_id=order.order_id, merchant_id=order.merchant_id, amount=amount),
    )

    assert "Your money was returned" in (await read(api, db))[0]


@pytest.mark.usefixtures("order")
async def test_the_account_is_shown_masked_and_never_whole(
    service: Service, api: ApiClient, db: Database
) -> None:
    for attempt in (unknown, done):
        page, _ = await read(api, db)
        assert "138••••••00" in page
        assert ACCOUNT not in page
        await settle(service, attempt)
        async with db.transaction() as tx:
            await tx.execute(text("UPDATE task SET due_at = clock_timestamp()"))
    assert ACCOUNT not in (await read(api, db))[0]
