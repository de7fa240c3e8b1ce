"""Lines that are asked for in stages, and again in another way: once in each round."""

from typing import Any

import httpx
from google.protobuf.message import Message

from kit.messaging.events import Event
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from tests.fulfillment.conftest import Accept, ApiClient, acceptor, dispatch, published
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.pages.test_routes import _hand_over, _page_of
from tests.fulfillment.real_vault import RealVault

Request = Event[FulfillmentRequested]


def again(first: Request, number: int = 2, reservation_id: str = "", **line: Any) -> Request:
    """The first line of an order, asked for again."""
    asked = first.message.lines[0]
    same = {field.name: value for field, value in asked.ListFields()}
    return a_request(
        order_id=first.message.order_id,
        reservation_id=reservation_id or first.message.reservation_id,
        round=number,
        lines=[a_line(**{**same, **line})],
    )


async def _short_order(vault: RealVault, tag: str) -> tuple[Any, Request]:
    """A pool that is empty now, and an order whose hold was lost."""
    pool = await vault.stock([f"{tag}-0001-XYZ"])
    order = a_request(reservation_id=await vault.hold((pool, 1)), lines=[a_line(pool_id=str(pool))])
    await vault.release(order.message.reservation_id)
    await vault.hold((pool, 1))
    return pool, order


def _told(events: list[Message]) -> list[tuple[str, int]]:
    assert all(isinstance(event, LineDelivered | LineFailed) for event in events)
    return [(type(event).__name__, event.round) for event in events]  # type: ignore[attr-defined]  # both have one


async def test_a_line_that_failed_is_delivered_in_a_later_round(
    served: Service, vault: RealVault
) -> None:
    pool, order = await _short_order(vault, "ROUND")
    await acceptor(served)(order)
    await dispatch(served)
    await vault.add_lot(pool, ["ROUND-0002-XYZ"])
    held = await vault.hold((pool, 1))

    later = again(order, reservation_id=held)
    await acceptor(served)(later)
    await acceptor(served)(later, later, order)
    await dispatch(served)

    assert _told(await published(served)) == [("LineFailed", 1), ("LineDelivered", 2)]
    assert (await vault.levels(pool))["sold"] == 1


async def test_a_later_round_whose_hold_is_lost_too_holds_again_under_its_own_name(
    served: Service, vault: RealVault
) -> None:
    pool, order = await _short_order(vault, "TWICE")
    await acceptor(served)(order)
    await dispatch(served)
    await vault.add_lot(pool, ["TWICE-0002-XYZ"])
    held = await vault.hold((pool, 1))
    await vault.release(held)

    await acceptor(served)(again(order, reservation_id=held))
    await dispatch(served)

    assert _told(await published(served)) == [("LineFailed", 1), ("LineDelivered", 2)]
    line_id = order.message.lines[0].line_id
    await vault.find_hold(f"{order.message.order_id}:{line_id}:2:again")


async def test_the_second_stage_of_an_order_is_accepted_beside_the_first(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock(["STAGE-0001-XYZ", "STAGE-0002-XYZ"])
    held = await vault.hold((pool, 1), (pool, 1))
    lines = [a_line(line_no=number, pool_id=str(pool)) for number in (1, 2)]
    first = a_request(reservation_id="", lines=[a_line(line_no=3, pool_id=str(pool))])
    await acceptor(served)(first)
    await dispatch(served)

    second = a_request(order_id=first.message.order_id, reservation_id=held, lines=lines)
    await acceptor(served)(second)
    await acceptor(served)(second)
    await dispatch(served)

    assert [name for name, _ in _told(await published(served))] == [
        "LineFailed",
        "LineDelivered",
        "LineDelivered",
    ]


async def test_of_a_hold_that_has_more_only_the_named_lines_are_sold(
    served: Service, vault: RealVault
) -> None:
    wanted = await vault.stock(["WANT-0001-XYZ"])
    unwanted = await vault.stock(["LEFT-0001-XYZ", "LEFT-0002-XYZ"])
    held = await vault.hold((unwanted, 2), (wanted, 1))
    request = a_request(
        reservation_id=held,
        hold_has_more=True,
        lines=[a_line(line_no=2, pool_id=str(wanted))],
    )

    await acceptor(served)(request)
    await dispatch(served)

    assert _told(await published(served)) == [("LineDelivered", 1)]
    assert (await vault.levels(wanted))["sold"] == 1
    assert (await vault.levels(unwanted))["available"] == 2


async def test_the_page_shows_what_is_delivered_instead(
    service: Service, accept: Accept, api: ApiClient
) -> None:
    browser: httpx.AsyncClient = await api()
    order = a_request(lines=[a_line(name="Steam 50")])
    await accept(order)
    await accept(again(order, name="Steam 60", instead_of="Steam 50"))
    await _hand_over(service)
    path, _ = await _page_of(service, order.message.order_id)

    page = (await browser.get(path, headers={"Accept-Language": "en"})).text

    assert page.count('<section class="line"') == 1
    assert "Steam 60" in page
    assert "Delivered instead of Steam 50" in page
    shop = await api("deliveries:read")
    told = (await shop.get("/v1/deliveries")).json()["items"]
    assert [(it["round"], it["instead_of"]) for it in told] == [(2, "Steam 50"), (1, None)]
