"""The purchases of each buyer are what a rebuild makes of them, when one statement writes orders
that are known already and orders that are new.
"""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderPaid
from tests.ledger.conftest import Deliver
from tests.ledger.factories import MERCHANT, NOON, a_payment, an_order, cny
from tests.ledger.facts.test_rollups_follow import everything, rebuild


async def test_a_late_first_purchase_told_with_one_of_a_known_order_moves_all_the_others(
    service: Service, db: Database, deliver: Deliver
):
    await deliver(*(_paid(new_id(), day) for day in (10, 11, 12)))
    known = new_id()
    await deliver(an_order(known, cny(100)))

    await deliver(_paid(known, 13), _paid(new_id(), 5))

    async with db.read() as tx:
        rows = (await tx.execute(_PURCHASES, {"merchant_id": MERCHANT})).all()
    days = [5, 10, 11, 12, 13]
    assert [row.paid_at for row in rows] == [_at(day) for day in days]
    assert [row.previous_at for row in rows] == [None, *(_at(day) for day in days[:-1])]
    assert {row.first_at for row in rows} == {_at(5)}


@pytest.mark.parametrize("seed", range(4))
async def test_purchases_of_few_buyers_told_in_any_order_and_moved_are_what_a_rebuild_makes(
    service: Service, db: Database, deliver: Deliver, seed: int
):
    dice = random.Random(seed)
    for latest in range(60, 0, -3):
        # The later it is told, the earlier it was, more or less: firsts come late too.
        orders = [(new_id(), f"buyer-{dice.randrange(3)}") for _ in range(12)]
        placed = [an_order(order, cny(100), buyer=buyer) for order, buyer in orders]
        # Some are told twice, the second time with another time of payment: the earlier stands.
        paid = [
            _paid(order, latest - dice.randrange(40), buyer=buyer)
            for order, buyer in orders + dice.sample(orders, 4)
        ]
        late = dice.sample(paid, 6)
        await deliver(*dice.sample(placed, 6))
        await deliver(*(event for event in paid if event not in late))
        await deliver(*late)

    kept = await everything(db)
    await rebuild(db)
    assert await everything(db) == kept


def _paid(order_id: UUID, day: int, *, buyer: str = "buyer-1") -> Event[OrderPaid]:
    payment = replace(a_payment(order_id, cny(100)), time=_at(day))
    payment.message.buyer = buyer
    return payment


def _at(day: int) -> datetime:
    return NOON + timedelta(days=day)


_PURCHASES = text("""
    SELECT paid_at, previous_at, first_at FROM buyer_order WHERE merchant_id = :merchant_id
    ORDER BY paid_at
""")
