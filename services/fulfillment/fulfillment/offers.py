"""What the order service recommends to the buyer of an order. The only file that knows its wire.

An extra: short time-out, kept for a while, and nothing at all when nobody answers.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel, ValidationError

from kit.errors import Unavailable
from kit.logging import get_logger
from kit.money import Money
from kit.peers import Peer, PeerProblem

log = get_logger(__name__)

OFFERS_MAX = 4
KEPT_SECONDS = 300.0
EMPTY_KEPT_SECONDS = 15.0
"""After a failure: a service that is down is not asked for every page that opens."""
ORDERS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Offer:
    sku: str
    name: str
    price: Money


class _Price(BaseModel):
    amount: int
    currency: str


class _Item(BaseModel):
    sku: str
    name: str
    price: _Price


class _Items(BaseModel):
    items: list[_Item]


class Offers:
    def __init__(self, peer: Peer, clock: Callable[[], float] = time.monotonic) -> None:
        self._peer = peer
        self._clock = clock
        self._kept: OrderedDict[UUID, tuple[float, tuple[Offer, ...]]] = OrderedDict()

    async def for_order(self, merchant_id: UUID, order_id: UUID) -> tuple[Offer, ...]:
        """At most OFFERS_MAX products, none when they cannot be had just now."""
        kept = self._kept.get(order_id)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        found, seconds = await self._ask(merchant_id, order_id)
        self._kept[order_id] = (self._clock() + seconds, found)
        self._kept.move_to_end(order_id)
        if len(self._kept) > ORDERS_MAX:
            self._kept.popitem(last=False)
        return found

    async def _ask(self, merchant_id: UUID, order_id: UUID) -> tuple[tuple[Offer, ...], float]:
        try:
            answer = await self._peer.get(
                f"/v1/orders/{order_id}/recommendations",
                params={"limit": str(OFFERS_MAX)},
                merchant_id=merchant_id,
            )
            items = _Items.model_validate(answer).items[:OFFERS_MAX]
            return tuple(_offer(item) for item in items), KEPT_SECONDS
        except (Unavailable, PeerProblem, ValidationError) as problem:
            log.info("no_offers", order_id=str(order_id), cause=type(problem).__name__)
            return (), EMPTY_KEPT_SECONDS


def _offer(item: _Item) -> Offer:
    return Offer(item.sku, item.name, Money(item.price.amount, item.price.currency))
