"""Recommendations are an extra: kept for a while, and their absence disturbs nobody. The order
service stands beyond the wire here; `tests/e2e/test_page.py` asks the real one.
"""

from collections.abc import Callable
from uuid import UUID

import httpx
import pytest

from fulfillment.offers import EMPTY_KEPT_SECONDS, KEPT_SECONDS, OFFERS_MAX, ORDERS_MAX, Offers
from kit.auth import ServiceTokens
from kit.ids import new_id
from kit.peers import Peer
from tests.fulfillment.factories import MERCHANT

ITEM = {
    "product_id": str(new_id()),
    "sku": "XBOX-1",
    "name": "Xbox 1 month",
    "price": {"amount": 5900, "currency": "CNY"},
    "orders": 7,
}
Answer = Callable[[httpx.Request], httpx.Response]


class Wire(httpx.AsyncBaseTransport):
    """What comes back over the line, and what went out."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Answer = lambda _: httpx.Response(200, json={"items": [ITEM]})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)


class Hand:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def offers(wire: Wire, hand: Hand) -> Offers:
    tokens = ServiceTokens("s" * 32)
    return Offers(Peer("http://order", service="fulfillment", tokens=tokens, transport=wire), hand)


async def test_they_are_asked_for_in_the_merchants_name_and_kept(
    offers: Offers, wire: Wire, hand: Hand
) -> None:
    order = new_id()
    for _ in range(3):
        [offer] = await offers.for_order(MERCHANT, order)
        assert (offer.sku, offer.name, offer.price.amount_minor) == ("XBOX-1", "Xbox 1 month", 5900)
    [asked] = wire.asked
    assert asked.url.path == f"/v1/orders/{order}/recommendations"
    assert asked.headers["lockstock-merchant"] == str(MERCHANT)
    hand.now += KEPT_SECONDS + 1
    await offers.for_order(MERCHANT, order)
    assert len(wire.asked) == 2


def _cut(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("cut")


@pytest.mark.parametrize(
    "answer",
    [
        _cut,
        lambda _: httpx.Response(500),
        lambda _: httpx.Response(404, json={"code": "order_not_found"}),
        lambda _: httpx.Response(200, text="<html>"),
        lambda _: httpx.Response(200, json={"items": [{"name": 1}]}),
        lambda _: httpx.Response(200, json=[]),
    ],
)
async def test_what_cannot_be_had_is_nothing_and_is_not_asked_for_at_every_page(
    offers: Offers, wire: Wire, hand: Hand, answer: Answer
) -> None:
    order = new_id()
    wire.answer = answer
    assert [await offers.for_order(MERCHANT, order) for _ in range(3)] == [(), (), ()]
    assert len(wire.asked) == 1
    hand.now += EMPTY_KEPT_SECONDS + 1
    wire.answer = lambda _: httpx.Response(200, json={"items": [ITEM] * 9})
    assert len(await offers.for_order(MERCHANT, order)) == OFFERS_MAX


async def test_so_many_orders_are_remembered_and_no_more(offers: Offers) -> None:
    for number in range(ORDERS_MAX + 5):
        await offers.for_order(MERCHANT, UUID(int=number))
    assert len(offers._kept) == ORDERS_MAX
