"""Batches of events: sequence kept per order, a repeat changes nothing, few statements."""

from typing import Any

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.errors import Invalid
from kit.messaging.outbox import events_of
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.delivery_events_pb2 import Refusal
from lockstock.fulfillment.v1.page_events_pb2 import PageLinkChanged
from lockstock.order.v1.order_events_pb2 import (
    FulfillmentRequested,
    LotCost,
    OrderCompleted,
    OrderRefunded,
)
from order.deliveries import service as deliveries
from order.lines.domain import LineStatus
from order.orders import service as orders
from order.orders.domain import Change, OrderNotFound, OrderStatus, Verdict
from order.payments.jobs import pay_back
from order.provider import load_providers
from order.saga import domain as saga
from tests.order.conftest import Consume
from tests.order.factories import (
    EMAIL,
    a_line,
    a_payment,
    an_event,
    an_order,
    assessed,
    delivered,
    failed,
    fulfilling,
    kinds_of,
    paid,
    placed,
    state_of,
    unknown,
)
from tests.stack.statements import noted_statements


async def test_an_assessment_of_an_unpaid_order_is_remembered(
    db: Database, consume: Consume
) -> None:
    order = await placed(db)

    news = await consume(assessed(order))

    assert news == []
    assert (await state_of(db, order)).verdict is Verdict.ALLOW
    assert await kinds_of(db, order) == ["placed", "assessed"]


async def test_a_renewed_link_is_the_orders_from_then_on_and_no_other_orders(
    db: Database, consume: Consume
) -> None:
    order, other = await fulfilling(db), await fulfilling(db)
    for each in (order, other):
        await consume(delivered(each, each.lines[0]))
    moved = PageLinkChanged(
        order_id=str(order.id), merchant_id=str(order.merchant_id), url="https://example.com/d/new"
    )

    news = await consume(an_event(moved, order.id))

    assert news == []
    async with db.read() as tx:
        found = await deliveries.find_of_orders(tx, [order.id, other.id])
    assert {delivery.url for delivery in found[order.id]} == {"https://example.com/d/new"}
    assert {delivery.url for delivery in found[other.id]} == {"https://example.com/d/token"}


async def test_the_timeline_tells_who_topped_up_by_which_purchase(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    bought = LotCost(
        quantity=1,
        unit_cost=Money(amount_minor=4850, currency="CNY"),
        supplier="acme",
        purchase_id="p-1",
    )

    await consume(unknown(order, order.lines[0], reason="no_answer", supplier="acme"))
    news = await consume(
        delivered(order, order.lines[0], units=[], costs=[bought], receipt="ACME-77")
    )

    assert isinstance(news[0], OrderCompleted)
    assert list(news[0].lines[0].costs) == [bought]
    told = await _details(db)
    assert (told["line_unknown"]["reason"], told["line_unknown"]["supplier"]) == (
        "no_answer",
        "acme",
    )
    assert told["line_delivered"]["suppliers"] == ["acme"]
    assert told["line_delivered"]["purchases"] == ["p-1"]
    assert told["line_delivered"]["receipt"] == "ACME-77"


async def test_the_timeline_tells_who_was_tried_and_what_each_said(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    refusals = [
        Refusal(supplier="acme", code="no_balance"),
        Refusal(supplier="best", code="account_unknown"),
    ]

    await consume(failed(order, order.lines[0], "account_unknown", refusals=refusals))

    told = await _details(db)
    assert told["line_failed"]["refusals"] == [
        {"supplier": "acme", "code": "no_balance"},
        {"supplier": "best", "code": "account_unknown"},
    ]


async def test_fulfilment_is_told_the_terms_and_inputs_each_line_was_sold_with(
    db: Database, consume: Consume
) -> None:
    offer = {
        "supplier": "acme",
        "supplier_sku": "CM-50",
        "cost_max": {"amount": 4900, "currency": "CNY"},
    }
    top_up = a_line(
        kind="top_up",
        pool_id=None,
        inputs={"phone": "13800138000"},
        terms={"kind": "top_up", "account_input": "phone", "offers": [offer]} | {"routing": "best"},
        bundle_sku="PACK",
        bundle_no=1,
        bundle_policy="partial",
    )
    manual = a_line(
        line_no=2,
        kind="manual",
        pool_id=None,
        terms={"kind": "manual", "queue": "desk", "fulfiller": None},
    )
    order = await placed(db, an_order(lines=[top_up, manual]))
    await consume(assessed(order))

    async with db.transaction() as tx:
        locked, now = await orders.lock_own(tx, order.merchant_id, order.id)
        change = saga.pay(Change(locked, "test"), a_payment(order), now)
        await orders.save_many(tx, [change])
        news = events_of(tx)

    requested = next(it for it in news if isinstance(it, FulfillmentRequested))
    told = requested.lines[0]
    assert dict(told.inputs) == {"phone": "13800138000"}
    assert (told.top_up.account_input, told.bundle_sku) == ("phone", "PACK")
    assert told.top_up.routing == "best"
    assert told.top_up.offers[0].supplier_sku == "CM-50"
    assert told.top_up.offers[0].cost_max == Money(amount_minor=4900, currency="CNY")
    assert not told.HasField("manual")
    assert (requested.lines[1].manual.queue, requested.lines[1].manual.fulfiller) == ("desk", "")
    assert not requested.lines[1].HasField("top_up")


async def _details(db: Database) -> dict[str, Any]:
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT kind, details FROM order_timeline"))
        return {row.kind: row.details for row in rows}


async def test_an_order_that_is_not_here_yet_is_asked_for_again(consume: Consume) -> None:
    with pytest.raises(OrderNotFound):
        await consume(assessed(an_order()))


async def test_a_decision_nobody_knows_is_put_aside(db: Database, consume: Consume) -> None:
    order = await placed(db)

    with pytest.raises(Invalid):
        await consume(assessed(order, "UNSPECIFIED"))


async def test_delivery_completes_the_order_with_its_costs(db: Database, consume: Consume) -> None:
    order = await fulfilling(db, an_order(lines=[a_line(), a_line(line_no=2, quantity=2)]))

    assert await consume(delivered(order, order.lines[0])) == []
    news = await consume(delivered(order, order.lines[1]))

    assert [type(message) for message in news] == [OrderCompleted]
    completed = news[0]
    assert isinstance(completed, OrderCompleted)
    assert [line.costs[0].quantity for line in completed.lines] == [1, 2]
    assert all(line.delivered for line in completed.lines)
    assert (await state_of(db, order)).status is OrderStatus.COMPLETED


async def test_the_timeline_tells_lots_and_masks_but_no_contact(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    await consume(delivered(order, order.lines[0]))

    async with db.read() as tx:
        rows = await tx.execute(text("SELECT kind, details::text AS told FROM order_timeline"))
        told = {row.kind: row.told for row in rows}

    assert '"lot-1"' in told["line_delivered"]
    assert "12****89" in told["line_delivered"]
    assert EMAIL not in "".join(told.values())


async def test_the_same_events_again_change_nothing(db: Database, consume: Consume) -> None:
    order = await fulfilling(db)
    allow, done = assessed(order), delivered(order, order.lines[0])
    await consume(done)
    before = await state_of(db, order), await kinds_of(db, order)

    assert await consume(done) == []
    assert await consume(done, done) == []
    assert (await state_of(db, order), await kinds_of(db, order)) == before
    await consume(allow)
    assert (await state_of(db, order)).status is OrderStatus.COMPLETED


async def test_two_events_of_one_order_in_a_batch_keep_their_order(
    db: Database, consume: Consume
) -> None:
    order = await placed(db)
    held, released = assessed(order, "HOLD"), assessed(order, "ALLOW", reviewer="ann")

    await consume(held, released)

    assert (await state_of(db, order)).verdict is Verdict.ALLOW
    assert await kinds_of(db, order) == ["placed", "assessed", "assessed"]


async def test_events_of_many_orders_are_one_batch(db: Database, consume: Consume) -> None:
    few = [await fulfilling(db) for _ in range(2)]
    many = [await fulfilling(db) for _ in range(12)]

    with noted_statements() as for_few:
        await consume(*[delivered(order, order.lines[0]) for order in few])
    with noted_statements() as for_many:
        await consume(*[delivered(order, order.lines[0]) for order in many])

    assert len(for_few) == len(for_many) <= 9
    assert {(await state_of(db, order)).status for order in many} == {OrderStatus.COMPLETED}


async def test_a_held_order_goes_on_after_its_review(db: Database, consume: Consume) -> None:
    order = await placed(db)
    await consume(assessed(order, "HOLD"))
    await paid(db, order)

    assert (await state_of(db, order)).status is OrderStatus.ON_HOLD
    news = await consume(assessed(order, "ALLOW", reviewer="ann", note="called the buyer"))

    assert [type(message) for message in news] == [FulfillmentRequested]
    requested = news[0]
    assert isinstance(requested, FulfillmentRequested)
    assert requested.email == EMAIL
    assert requested.HasField("paid_at")
    assert (await state_of(db, order)).status is OrderStatus.FULFILLING
    assert "released" in await kinds_of(db, order)


async def test_a_declined_paid_order_is_refunded(db: Database, consume: Consume) -> None:
    order = await placed(db)
    await consume(assessed(order, "HOLD"))
    await paid(db, order)
    await consume(assessed(order, "DECLINE", reviewer="ann", note="stolen card"))
    assert (await state_of(db, order)).status is OrderStatus.REFUNDING

    await pay_back(db, load_providers([]), every_seconds=1)._run()

    state = await state_of(db, order)
    assert state.status is OrderStatus.REFUNDED
    assert state.refunded == order.total
    async with db.read() as tx:
        query = text("SELECT payload FROM event_log WHERE type LIKE '%OrderRefunded'")
        refunded = OrderRefunded.FromString((await tx.execute(query)).scalar_one())
    assert refunded.amount.amount_minor == order.total.amount_minor
    assert refunded.reservation_id == str(order.reservation_id)


async def test_a_line_may_be_unknown_before_it_is_delivered(db: Database, consume: Consume) -> None:
    order = await fulfilling(db)
    await consume(unknown(order, order.lines[0]))
    assert (await state_of(db, order)).lines[0].status is LineStatus.UNKNOWN

    await consume(delivered(order, order.lines[0]))

    assert (await state_of(db, order)).status is OrderStatus.COMPLETED


async def test_a_delivery_after_a_refund_is_told_and_changes_nothing(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    await consume(failed(order, order.lines[0]))
    await pay_back(db, load_providers([]), every_seconds=1)._run()

    await consume(delivered(order, order.lines[0]))

    assert (await state_of(db, order)).status is OrderStatus.REFUNDED
    assert (await kinds_of(db, order))[-1] == "line_contradiction"
