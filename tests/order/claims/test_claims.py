"""What claims do to orders: told, refunded to the cent and once, the new unit shown."""

from typing import Any
from uuid import UUID

import pytest

from kit.db import Database
from kit.errors import Invalid
from kit.ids import new_id
from kit.messaging.events import Event
from kit.money import Money
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClaimOpened
from lockstock.fulfillment.v1.delivery_events_pb2 import DeliveredUnit
from lockstock.order.v1.order_events_pb2 import RefundMade
from order.claims.domain import share_of
from order.lines.domain import Line, LineStatus
from order.orders import service as orders
from order.orders.domain import Order, OrderStatus
from order.refunds import service as refunds
from tests.order.conftest import Consume
from tests.order.factories import (
    a_line,
    an_event,
    an_order,
    delivered,
    fulfilling,
    kinds_of,
    state_of,
)
from tests.order.payments.test_service import events_of
from tests.order.refunds.test_routes import completed, settle

UNIT = str(new_id())


def opened(order: Order, line: Line) -> Event[Any]:
    message = ClaimOpened(
        claim_id=str(new_id()),
        order_id=str(order.id),
        merchant_id=str(order.merchant_id),
        line_id=str(line.id),
        unit_id=UNIT,
        lot_id=str(new_id()),
        reason="used",
        opened_by="buyer",
    )
    return an_event(message, order.id)


def decided(
    order: Order,
    line: Line,
    outcome: str,
    *,
    position: int = 1,
    claim_id: UUID | None = None,
    **given: Any,
) -> Event[Any]:
    message = ClaimDecided(
        **{
            "claim_id": str(claim_id or new_id()),
            "order_id": str(order.id),
            "merchant_id": str(order.merchant_id),
            "line_id": str(line.id),
            "delivery_id": str(new_id()),
            "unit_id": UNIT,
            "lot_id": str(new_id()),
            "outcome": ClaimDecided.Outcome.Value(f"OUTCOME_{outcome}"),
            "reason": "seen",
            "decided_by": "api_key:1",
            "position": position,
            **given,
        }
    )
    return an_event(message, order.id)


async def amounts(db: Database, order: Order) -> list[int]:
    async with db.read() as tx:
        found = await refunds.list_of_order(tx, order.id, after=None, limit=200)
    return [it.refund.amount.amount_minor for it in found]


async def test_a_claim_is_told_in_the_story_of_its_order(db: Database, consume: Consume) -> None:
    order = await completed(db, consume, 1000)
    [line] = order.lines
    await consume(opened(order, line))
    await consume(decided(order, line, "REFUSED"))
    await consume(decided(order, line, "WITHDRAWN"))
    assert (await kinds_of(db, order))[-3:] == ["claim_opened", "claim_refused", "claim_withdrawn"]
    assert await amounts(db, order) == []
    assert (await state_of(db, order)).status is OrderStatus.COMPLETED


async def test_a_refunded_claim_gives_the_units_share_back_once(
    db: Database, consume: Consume
) -> None:
    order = await completed(db, consume, 1000, quantity=3)
    [line] = order.lines
    claim = new_id()

    await consume(decided(order, line, "REFUNDED", position=2, claim_id=claim))
    await consume(decided(order, line, "REFUNDED", position=2, claim_id=claim))

    assert await amounts(db, order) == [333]
    assert (await state_of(db, order)).status is OrderStatus.REFUNDING
    await settle(db)
    state = await state_of(db, order)
    assert state.status is OrderStatus.PARTIALLY_COMPLETED
    [made] = await events_of(db, order, RefundMade)
    assert made.amount.amount_minor == 333
    assert made.kind == RefundMade.Kind.KIND_DELIVERED_LINE


async def test_the_shares_of_all_units_are_the_lines_price(db: Database, consume: Consume) -> None:
    order = await completed(db, consume, 1000, quantity=3)
    [line] = order.lines
    await consume(*(decided(order, line, "REFUNDED", position=place) for place in (1, 2, 3)))
    assert sorted(await amounts(db, order)) == [333, 333, 334]
    await settle(db)
    assert (await state_of(db, order)).status is OrderStatus.REFUNDED


async def test_never_more_goes_back_than_is_left(db: Database, consume: Consume) -> None:
    order = await completed(db, consume, 1000, quantity=2)
    [line] = order.lines
    for place in (1, 2, 2, 1):
        await consume(decided(order, line, "REFUNDED", position=place))
    assert sum(await amounts(db, order)) == 1000
    assert (await kinds_of(db, order)).count("claim_refund_empty") == 2


async def test_a_free_line_gives_nothing_back(db: Database, consume: Consume) -> None:
    order = await completed(db, consume, 0, 500)
    await consume(decided(order, order.lines[0], "REFUNDED"))
    assert await amounts(db, order) == []
    assert (await kinds_of(db, order))[-1] == "claim_refund_empty"


async def test_while_other_lines_are_under_way_the_share_goes_back_all_the_same(
    db: Database, consume: Consume
) -> None:
    lines = [a_line(line_no=number, total=Money(700, "CNY")) for number in (1, 2)]
    order = await fulfilling(db, an_order(lines=lines))
    await consume(delivered(order, order.lines[0]))
    await consume(decided(order, order.lines[0], "REFUNDED"))
    assert await amounts(db, order) == [700]
    assert (await state_of(db, order)).status is OrderStatus.FULFILLING


async def test_a_replaced_unit_stands_in_the_delivery_instead_of_the_bad_one(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db, an_order(lines=[a_line(quantity=2)]))
    [line] = order.lines
    bad, good, second, third = (str(new_id()) for _ in range(4))
    units = [
        DeliveredUnit(unit_id=unit, mask=f"{name}**", lot_id=str(new_id()))
        for unit, name in ((bad, "ba"), (good, "go"))
    ]
    event = delivered(order, line, units=units)
    await consume(event)
    delivery = event.message.delivery_id

    def given(old: str, new: str) -> Event[Any]:
        unit = DeliveredUnit(unit_id=new, mask="ne**", lot_id=str(new_id()))
        return decided(order, line, "REPLACED", unit_id=old, delivery_id=delivery, replacement=unit)

    await consume(given(bad, second), given(second, third))

    async with db.read() as tx:
        view = await orders.get_view(tx, order.merchant_id, order.id)
    assert view.deliveries[0].units == ((third, "ne**"), (good, "go**"))
    assert (await kinds_of(db, order))[-2:] == ["claim_replaced", "claim_replaced"]
    assert await amounts(db, order) == []


async def test_an_outcome_of_a_later_release_is_parked(db: Database, consume: Consume) -> None:
    order = await completed(db, consume, 1000)
    with pytest.raises(Invalid):
        await consume(decided(order, order.lines[0], "UNSPECIFIED"))


@pytest.mark.parametrize(("total", "quantity"), [(1000, 3), (1, 7), (0, 2), (999_999, 1_000)])
def test_shares_add_up(total: int, quantity: int) -> None:
    line = a_line(total=Money(total, "CNY"), quantity=quantity, status=LineStatus.DELIVERED)
    shares = [share_of(line, place).amount_minor for place in range(1, quantity + 1)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
    assert share_of(line, quantity + 5) == share_of(line, quantity)


def test_what_was_not_delivered_has_no_share() -> None:
    assert share_of(a_line(status=LineStatus.FAILED), 1).amount_minor == 0
