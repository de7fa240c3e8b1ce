"""Orders that wait for their payment count from when they are placed until they are paid."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import (
    OrderCancelled,
    OrderedLine,
    OrderExpired,
    OrderPaid,
)
from lockstock.risk.v1.assessment_events_pb2 import DECISION_ALLOW, DECISION_DECLINE
from risk.open_orders.domain import OPEN_MAX
from tests.risk.conftest import Assess
from tests.risk.factories import CATALOGUE, MERCHANT, NOON, OTHER_MERCHANT, a_rule, an_order
from tests.stack.api import ApiClient

ENDS = (OrderPaid, OrderCancelled, OrderExpired)
WORKERS = 12


async def mention(service: Service, condition: str) -> None:
    async with service.db.transaction() as tx:
        await service.state["rules"].create(
            tx, MERCHANT, a_rule(condition), author="t", is_enabled=True
        )


async def end(service: Service, order_ids: Sequence[UUID], how: type[Message]) -> None:
    """Every handler of the event, as the consumer calls them."""
    events = [an_end(it, how) for it in order_ids]
    async with service.db.transaction() as tx:
        for handler in service.handlers:
            if handler.message_class is how:
                await handler.fn(tx, events)


def an_end(order_id: UUID, how: type[Message]) -> Event[Any]:
    message = how(order_id=str(order_id), merchant_id=str(MERCHANT))
    topic = "lockstock.order.order"
    return Event(
        id=new_id(),
        type=f"lockstock.order.v1.{how.__name__}",
        topic=topic,
        key=str(order_id),
        version=2,
        time=NOON,
        merchant_id=str(MERCHANT),
        traceparent=None,
        request_id=None,
        message=message,
    )


async def seen(db: Database, name: str) -> dict[UUID, int]:
    """What each order's assessment knew."""
    async with db.read() as tx:
        rows = await tx.execute(
            text("SELECT purchase_id, facts ->> :name AS value FROM assessment ORDER BY id"),
            {"name": name},
        )
        return {row.purchase_id: int(row.value) for row in rows}


async def next_sees(assess: Assess, db: Database, name: str, **order: Any) -> int:
    order_id = new_id()
    await assess([an_order(order_id=order_id, **order)])
    return (await seen(db, name))[order_id]


@pytest.mark.parametrize("how", ENDS)
async def test_an_order_counts_until_it_is_paid_or_over(
    service: Service, assess: Assess, db: Database, how: type[Message]
) -> None:
    first, second = new_id(), new_id()
    await assess([an_order(order_id=first, device_id="d")])
    assert await next_sees(assess, db, "open_unpaid_of_device", device_id="d") == 1
    await assess([an_order(order_id=second, device_id="d")])

    await end(service, [first, first, new_id()], how)

    assert await next_sees(assess, db, "open_unpaid_of_device", device_id="d") == 2
    await end(service, [first, second], how)
    assert await next_sees(assess, db, "open_unpaid_of_device", device_id="d") == 2


async def test_each_of_a_batch_sees_those_before_it_and_not_itself(
    assess: Assess, db: Database
) -> None:
    await assess([an_order(customer_id="anna", ip=f"203.0.113.{n}") for n in range(5)])

    assert list((await seen(db, "open_unpaid_of_customer")).values()) == [0, 1, 2, 3, 4]
    assert list((await seen(db, "open_unpaid_of_ip")).values()) == [0] * 5


async def test_what_arrives_paid_sees_the_others_and_is_never_one(
    assess: Assess, db: Database
) -> None:
    waiting, paid = an_order(device_id="d"), an_order(device_id="d")
    paid.message.is_paid = True

    await assess([waiting, paid, an_order(device_id="d")])

    assert list((await seen(db, "open_unpaid_of_device")).values()) == [0, 1, 1]


async def test_what_a_shop_asks_about_does_not_wait_here(
    api: ApiClient, assess: Assess, db: Database
) -> None:
    client = await api("risk:write")
    for number in range(3):
        body = {"reference": f"r{number}", "total": {"amount": 5, "currency": "CNY"}}
        lines = [{"sku": "A", "quantity": 1}]
        answer = await client.post(
            "/v1/assessments",
            json=body | {"lines": lines, "customer": {"device_id": "d"}, "record": True},
        )
        assert answer.status_code in (200, 201), answer.text

    assert await next_sees(assess, db, "open_unpaid_of_device", device_id="d") == 0


async def test_what_is_unknown_and_what_others_have_counts_for_nothing(
    assess: Assess, db: Database
) -> None:
    await assess([an_order(device_id=""), an_order(device_id="")])
    await assess([an_order(merchant_id=OTHER_MERCHANT, device_id="d")])

    assert await next_sees(assess, db, "open_unpaid_of_device", device_id="d") == 0
    assert set((await seen(db, "open_unpaid_of_device")).values()) == {0}


async def test_the_same_event_again_opens_nothing_again(
    service: Service, assess: Assess, db: Database
) -> None:
    event = an_order(device_id="d")
    await assess([event])
    await end(service, [UUID(event.message.order_id)], OrderPaid)

    await assess([event])

    assert await next_sees(assess, db, "open_unpaid_of_device", device_id="d") == 0


async def test_workers_that_judge_at_once_see_each_other(
    service: Service, assess: Assess, db: Database
) -> None:
    """A device is locked once a rule asks for it: of so many at once each sees one more."""
    await mention(service, "open_unpaid_of_device > 900")

    await asyncio.gather(
        *(
            assess([an_order(device_id="d", ip=f"198.51.100.{n}", customer_id=f"b{n}")])
            for n in range(WORKERS)
        )
    )

    found = await seen(db, "open_unpaid_of_device")
    assert sorted(found.values()) == list(range(WORKERS))


async def test_any_mixture_of_events_counts_as_a_plain_list_would(
    service: Service, assess: Assess, db: Database
) -> None:
    """Batches of any size, ends of any kind, some twice, some of orders nobody knows."""
    seeded = random.Random(20261127)
    waiting: dict[UUID, str] = {}
    expected: dict[UUID, int] = {}
    known: list[UUID] = []
    for _ in range(60):
        batch = []
        for _ in range(seeded.choice([1, 2, 5])):
            order_id, device = UUID(int=seeded.getrandbits(128)), seeded.choice(["a", "b", "c", ""])
            event = an_order(order_id=order_id, device_id=device, ip="")
            event.message.is_paid = seeded.random() < 0.2
            expected[order_id] = sum(it == device for it in waiting.values()) if device else 0
            if not event.message.is_paid:
                waiting[order_id] = device
            known.append(order_id)
            batch.append(event)
        await assess(batch)
        ended = [*seeded.sample(known, min(3, len(known))), new_id()]
        await end(service, ended, seeded.choice(ENDS))
        for order_id in ended:
            waiting.pop(order_id, None)

    assert await seen(db, "open_unpaid_of_device") == expected


async def test_of_one_that_has_ever_more_a_thousand_are_counted(
    assess: Assess, db: Database
) -> None:
    await assess([an_order(device_id="d")])
    async with db.transaction() as tx:
        await tx.execute(
            text("""
                INSERT INTO open_order (order_id, merchant_id, at, device_key)
                SELECT gen_random_uuid(), merchant_id, at, device_key
                FROM open_order, generate_series(1, :most)
            """),
            {"most": OPEN_MAX + 5},
        )

    assert await next_sees(assess, db, "open_unpaid_of_device", device_id="d") == OPEN_MAX


async def test_an_order_whose_end_was_never_heard_of_is_dropped_after_a_week(
    service: Service, assess: Assess, db: Database
) -> None:
    await assess([an_order(device_id="d"), an_order(device_id="d")])
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE open_order SET at = clock_timestamp()"))
        await tx.execute(
            text("""
                UPDATE open_order SET at = at - CAST(:age AS interval)
                WHERE order_id = (SELECT min(order_id::text)::uuid FROM open_order)
            """),
            {"age": timedelta(days=7, seconds=1)},
        )

    await next(it for it in service.jobs if it.name == "drop-lost-orders")._run()

    assert await next_sees(assess, db, "open_unpaid_of_device", device_id="d") == 1


async def test_who_hoards_is_given_one_unit_for_a_while_by_the_template(
    service: Service, api: ApiClient, assess: Assess
) -> None:
    client = await api("risk:write")
    answer = await client.post("/v1/rules", json={"template": "unpaid-orders"})
    assert answer.status_code == 201, answer.text

    async def decided(quantity: int) -> Any:
        line = OrderedLine(line_no=1, sku="A", quantity=quantity)
        (told,) = await assess([an_order(device_id="d", customer_id="eve", lines=[line])])
        return told

    held = [await decided(5) for _ in range(3)]
    greedy, modest = await decided(5), await decided(1)

    assert [it.decision for it in held] == [DECISION_ALLOW] * 3
    assert greedy.decision == DECISION_DECLINE
    assert (modest.decision, modest.limits.hold_seconds) == (DECISION_ALLOW, 300)


def test_the_facts_are_in_the_catalogue_and_no_counts() -> None:
    names = [name for name in CATALOGUE.plain if name.startswith("open_unpaid_of_")]

    assert len(names) == 4
    assert len(CATALOGUE.kinds_of([*names, "amount_minor", "purchases_by_channel_1h"])) == 4
