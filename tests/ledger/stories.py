"""What is known of a random order: its events, and what the books must come to with them."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from kit.messaging.events import Event
from lockstock.order.v1.order_events_pb2 import LotCost

Key = tuple[str, str]
"""Account code and currency."""


@dataclass(frozen=True, slots=True)
class Lot:
    id: UUID
    supplier: str
    unit_cost: int
    currency: str


@dataclass(slots=True)
class LineStory:
    """What a line sold for and cost, in minor units; `margin` by currency. `face`: of each of its
    own vouchers; 0 when it sold something else.
    """

    id: UUID
    sku: str
    product_id: UUID
    quantity: int
    total: int
    coupon: int
    promotion: int
    fee: int
    is_delivered: bool
    costs: list[LotCost]
    face: int = 0
    margin: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class OrderStory:
    """`balances` and the lines' margins are what its events must come to, whatever their order.
    `elsewhere` is the part of the balances whose postings do not name the order.
    """

    id: UUID
    channel_id: UUID
    currency: str
    at: datetime
    bearer: str
    gives_fee_back: bool
    buyer: str
    buyer_group: str
    lines: list[LineStory]
    events: list[Event[Any]] = field(default_factory=list)
    balances: Counter[Key] = field(default_factory=Counter)
    elsewhere: Counter[Key] = field(default_factory=Counter)


def disordered(
    rng: random.Random, events: Sequence[Event[Any]], *, repeated: float = 0.3, batch_max: int = 200
) -> Iterator[list[Event[Any]]]:
    """All of them in any order, some of them several times, in batches of one class each, as the
    consumer hands them over.
    """
    told = [*events, *(each for each in events if rng.random() < repeated)]
    rng.shuffle(told)
    by_class: dict[type[Message], list[Event[Any]]] = {}
    for event in told:
        kind = type(event.message)
        waiting = by_class.setdefault(kind, [])
        waiting.append(event)
        if len(waiting) >= batch_max:
            yield by_class.pop(kind)
    yield from by_class.values()


def ids(story: OrderStory, merchant_id: UUID) -> dict[str, Any]:
    return {
        "order_id": str(story.id),
        "merchant_id": str(merchant_id),
        "channel_id": str(story.channel_id),
    }


def buyer(story: OrderStory) -> dict[str, Any]:
    return {"buyer": story.buyer, "buyer_group": story.buyer_group}


def clearing(story: OrderStory) -> str:
    return f"channel-clearing:{story.channel_id}"
