"""Orders by chance as the shop knows them, and the events that tell of them."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from kit.ids import new_id
from kit.messaging.events import Event
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.ledger.factories import (
    a_completion,
    a_cost,
    a_line,
    a_partial_completion,
    a_payment,
    a_purchase,
    a_refund,
    a_refund_made,
    an_order,
    cny,
)

START = datetime(2026, 1, 20, tzinfo=UTC)
CHANNELS = [new_id() for _ in range(3)]
PRODUCTS = [new_id() for _ in range(5)]
LOTS = [new_id() for _ in range(4)]
ZONES = ["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "Pacific/Kiritimati"]


@dataclass(frozen=True)
class Bought:
    """One order as the shop knows it: what the roll-ups must come to."""

    id: UUID
    channel: UUID
    buyer: str
    lines: tuple[tuple[UUID, int, int, UUID | None, int], ...]
    """(product, quantity, price, lot, unit cost)"""
    placed_at: datetime
    paid_at: datetime | None
    end: str

    @property
    def total(self) -> int:
        return sum(price for _, _, price, _, _ in self.lines)

    @property
    def settled_at(self) -> datetime:
        assert self.paid_at is not None
        return self.paid_at + timedelta(minutes=7)


def bought_orders(dice: random.Random, number: int) -> list[Bought]:
    return [_order(dice) for _ in range(number)]


def _order(dice: random.Random) -> Bought:
    # Close to the ends of months, where zones differ, more often than not.
    at = START + timedelta(minutes=dice.randrange(90 * 24 * 60))
    if dice.random() < 0.6:
        at = datetime(2026, dice.randrange(2, 5), 1, tzinfo=UTC) + timedelta(
            minutes=dice.randrange(-1_000, 1_000)
        )
    lines = tuple(
        (
            dice.choice(PRODUCTS),
            dice.randrange(1, 4),
            dice.randrange(0, 5_000),
            dice.choice([*LOTS, None]),
            dice.randrange(0, 900),
        )
        for _ in range(dice.randrange(1, 5))
    )
    end = dice.choice(["unpaid", "completed", "completed", "partly", "refunded", "paid", "after"])
    paid = None if end == "unpaid" else at + timedelta(minutes=dice.randrange(60))
    return Bought(
        new_id(), dice.choice(CHANNELS), f"buyer-{dice.randrange(8)}", lines, at, paid, end
    )


def events_of(merchant: UUID, order: Bought) -> list[Event[Any]]:
    events: list[Event[Any]] = [
        an_order(order.id, cny(order.total), buyer=order.buyer, at=order.placed_at)
    ]
    if order.paid_at is not None:
        events.append(replace(a_payment(order.id, cny(order.total)), time=order.paid_at))
    if order.end in ("completed", "partly", "after"):
        lines = [
            a_line(
                cny(price),
                a_cost(lot, cny(cost), quantity) if lot else a_purchase("SUP", cny(cost)),
                product_id=product,
                sku=f"SKU-{product}",
                quantity=quantity,
                delivered=order.end != "partly" or number == 0,
            )
            for number, (product, quantity, price, lot, cost) in enumerate(order.lines)
        ]
        back = order.total - order.lines[0][2]
        settled: Event[Any] = (
            a_partial_completion(order.id, cny(back), *lines)
            if order.end == "partly"
            else a_completion(order.id, *lines)
        )
        events.append(replace(settled, time=order.settled_at))
    if order.end == "refunded":
        events.append(replace(a_refund(order.id, cny(order.total)), time=order.settled_at))
    if order.end == "after":
        kind = RefundMade.Kind.KIND_DELIVERED_LINE
        made = a_refund_made(order.id, cny(order.lines[0][2]), kind=kind)
        events.append(replace(made, time=order.settled_at + timedelta(days=2)))
    for event in events:
        event.message.merchant_id = str(merchant)
        event.message.channel_id = str(order.channel)
    # The envelope says whose books are locked.
    return [replace(event, merchant_id=str(merchant)) for event in events]


def delivered_of(order: Bought) -> tuple[tuple[UUID, int, int, UUID | None, int], ...]:
    return {"completed": order.lines, "after": order.lines, "partly": order.lines[:1]}.get(
        order.end, ()
    )
