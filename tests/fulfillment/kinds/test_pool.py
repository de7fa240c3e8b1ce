"""Lines from the vault, against the real vault."""

import base64
from datetime import UTC, datetime
from typing import Any

import nacl.public
import pytest
from sqlalchemy import text

from fulfillment.vault import OPENING_TRIES_MAX
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service, create_app
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from tests.fulfillment.conftest import (
    a_client,
    acceptor,
    dispatch,
    end_pauses,
    published,
)
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.real_vault import RealVault


async def _order(vault: RealVault, pool: Any, quantity: int = 1, **given: Any) -> Any:
    """A paid order of one line whose units are held."""
    hold = await vault.hold((pool, quantity))
    line = a_line(pool_id=str(pool), quantity=quantity)
    return a_request(reservation_id=hold, lines=[line], **given)


async def _states(service: Service) -> list[str]:
    async with service.db.read() as tx:
        rows = await tx.execute(text("SELECT state FROM delivery ORDER BY order_id, line_no"))
        return [row.state for row in rows]


async def test_a_paid_order_is_delivered_with_masks_and_costs(
    served: Service, vault: RealVault
) -> None:
    cards = await vault.stock(["CARD-AAAA-0001", "CARD-AAAA-0002"], cost=4550)
    points = await vault.stock(["POINT-BBBB-0001"], cost=900)
    event = a_request(
        reservation_id=await vault.hold((cards, 2), (points, 1)),
        lines=[
            a_line(line_no=1, pool_id=str(cards), quantity=2),
            a_line(line_no=2, pool_id=str(points), quantity=1),
        ],
    )
    await acceptor(served)(event)
    await dispatch(served)
    one, two = await published(served)
    assert isinstance(one, LineDelivered)
    assert isinstance(two, LineDelivered)
    assert [one.line_id, two.line_id] == [line.line_id for line in event.message.lines]
    assert [len(one.units), len(two.units)] == [2, 1]
    assert all("****" in unit.mask for unit in one.units)
    assert [(cost.quantity, cost.unit_cost.amount_minor) for cost in one.costs] == [(2, 4550)]
    assert [(cost.quantity, cost.unit_cost.currency) for cost in two.costs] == [(1, "CNY")]
    assert one.url == two.url
    assert await _states(served) == ["delivered", "delivered"]


async def test_costs_are_told_per_lot(served: Service, vault: RealVault) -> None:
    pool = await vault.stock(["LOT1-0001-AAAA"], cost=100)
    await vault.add_lot(pool, ["LOT2-0001-AAAA", "LOT2-0002-AAAA"], cost=250)
    await acceptor(served)(await _order(vault, pool, 3))
    await dispatch(served)
    [event] = await published(served)
    assert isinstance(event, LineDelivered)
    costs = sorted((cost.quantity, cost.unit_cost.amount_minor) for cost in event.costs)
    assert costs == [(1, 100), (2, 250)]
    assert len({cost.lot_id for cost in event.costs}) == 2


async def test_what_a_unit_is_good_until_is_kept_with_it(served: Service, vault: RealVault) -> None:
    pool = await vault.stock(["CODE-E"], expires_at="2030-05-01T00:00:00Z")
    await vault.add_lot(pool, ["CODE-N"])
    hold = await vault.hold((pool, 2))
    await acceptor(served)(
        a_request(reservation_id=hold, lines=[a_line(pool_id=str(pool), quantity=2)])
    )
    await dispatch(served)
    async with served.db.read() as tx:
        rows = await tx.execute(text("SELECT expires_at FROM delivered_unit ORDER BY expires_at"))
        assert [row.expires_at for row in rows] == [datetime(2030, 5, 1, tzinfo=UTC), None]


async def test_many_orders_are_claimed_by_one_call(served: Service, vault: RealVault) -> None:
    pool = await vault.stock([f"MANY-{n:04}-XYZ" for n in range(40)])
    orders = [await _order(vault, pool) for _ in range(40)]
    await acceptor(served)(*orders)
    vault.line.calls.clear()
    await dispatch(served)
    assert vault.line.calls == ["/v1/reservations/claims"]
    events = await published(served)
    units = [unit.unit_id for event in events for unit in event.units]  # type: ignore[attr-defined]  # all delivered
    assert len(units) == len(set(units)) == 40


async def test_units_are_handed_to_the_shops_key_and_the_box_is_kept(
    served: Service, vault: RealVault
) -> None:
    shop = nacl.public.PrivateKey.generate()
    pool = await vault.stock(["SHOP-CODE-0001"])
    await acceptor(served)(await _order(vault, pool, recipient_public_key=bytes(shop.public_key)))
    await dispatch(served)
    async with a_client(served, create_app(served), "deliveries:read") as client:
        [delivery] = (await client.get("/v1/deliveries")).json()["items"]
    box = {name: base64.b64decode(it) for name, it in delivery["units"][0]["box"].items()}
    sender = nacl.public.PublicKey(box["public_key"])
    opened = nacl.public.Box(shop, sender).decrypt(box["ciphertext"], box["nonce"])
    assert b"SHOP-CODE-0001" in opened


async def test_a_key_nothing_can_be_sealed_to_still_delivers_to_the_buyers_page(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock(["WEAK-KEY-0001", "WEAK-KEY-0002"])
    weak = await _order(vault, pool, recipient_public_key=bytes(32))
    await acceptor(served)(weak, await _order(vault, pool))
    await dispatch(served)
    assert await _states(served) == ["delivered", "delivered"]
    assert (await vault.levels(pool))["sold"] == 2


async def test_a_unit_that_does_not_open_any_more_is_the_pages_after_a_while_not_never(
    served: Service, vault: RealVault
) -> None:
    shop = nacl.public.PrivateKey.generate()
    pool = await vault.stock(["EXPOSED-CODE-0001"])
    order = await _order(vault, pool, recipient_public_key=bytes(shop.public_key))
    # As it is once its key is declared compromised: the opener opens nothing of the lot.
    await vault.close_boxes_of(pool)
    await acceptor(served)(order)
    await dispatch(served)
    # A drill is over soon: the shop's own box is worth a little patience.
    assert await _states(served) == ["pending"]
    for _ in range(OPENING_TRIES_MAX):
        await end_pauses(served)
        await dispatch(served)
    assert await _states(served) == ["delivered"]
    assert (await vault.levels(pool))["sold"] == 1


async def test_units_one_of_which_was_revoked_before_its_sale_was_heard_of_are_the_pages(
    served: Service, vault: RealVault
) -> None:
    shop = nacl.public.PrivateKey.generate()
    pool = await vault.stock(["REVOKED-CODE-0001", "REVOKED-CODE-0002"])
    await acceptor(served)(
        await _order(vault, pool, 2, recipient_public_key=bytes(shop.public_key))
    )
    vault.line.lose_answer(1)
    await dispatch(served)
    await vault.revoke_one_of(pool)
    await end_pauses(served)
    await dispatch(served)
    assert await _states(served) == ["delivered"]


async def test_units_whose_hold_was_lost_come_of_what_is_set_aside_for_their_channel(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock(["KEPT-CODE-0001"])
    order = await _order(vault, pool)
    await vault.release(order.message.reservation_id)
    await vault.guarantee(pool, order.message.channel_id, 1)

    await acceptor(served)(order)
    await dispatch(served)

    assert await _states(served) == ["delivered"]


async def test_a_silent_vault_fails_nothing_and_its_return_delivers_all(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"DOWN-{n:04}-XYZ" for n in range(5)])
    await acceptor(served)(*[await _order(vault, pool) for _ in range(5)])
    vault.line.is_cut = True
    for _ in range(4):
        await dispatch(served)
        await end_pauses(served)
    assert await published(served) == []
    assert await _states(served) == ["pending"] * 5
    vault.line.is_cut = False
    await dispatch(served)
    assert await _states(served) == ["delivered"] * 5
    assert (await vault.levels(pool))["sold"] == 5


async def test_an_answer_that_got_lost_is_asked_for_again_and_sells_once(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"LOST-{n:04}-XYZ" for n in range(4)])
    await acceptor(served)(await _order(vault, pool, 2))
    vault.line.lose_answer(1)
    await dispatch(served)
    assert await published(served) == []
    await end_pauses(served)
    await dispatch(served)
    assert len(await published(served)) == 1
    levels = await vault.levels(pool)
    assert (levels["sold"], levels["available"]) == (2, 2)


async def test_a_lost_hold_is_reserved_again_and_claimed(served: Service, vault: RealVault) -> None:
    pool = await vault.stock([f"HOLD-{n:04}-XYZ" for n in range(3)])
    order = await _order(vault, pool, 2)
    await vault.release(order.message.reservation_id)
    await acceptor(served)(order)
    vault.line.calls.clear()
    await dispatch(served)
    assert [type(event) for event in await published(served)] == [LineDelivered]
    assert vault.line.calls == [
        "/v1/reservations/claims",
        "/v1/reservations/batch",
        "/v1/reservations/claims",
    ]
    assert (await vault.levels(pool))["sold"] == 2


@pytest.mark.parametrize("lost_at", [1, 2, 3])
async def test_losing_any_answer_on_the_way_to_a_second_hold_sells_once(
    served: Service, vault: RealVault, lost_at: int
) -> None:
    pool = await vault.stock([f"AGAIN-{lost_at}-{n:04}-XYZ" for n in range(3)])
    order = await _order(vault, pool)
    await vault.release(order.message.reservation_id)
    await acceptor(served)(order)
    vault.line.lose_answer(lost_at)
    await dispatch(served)
    await end_pauses(served)
    await dispatch(served)
    assert [type(event) for event in await published(served)] == [LineDelivered]
    levels = await vault.levels(pool)
    assert (levels["sold"], levels["available"], levels["reserved"]) == (1, 2, 0)


async def test_a_lost_hold_with_an_empty_shelf_fails_every_line(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock(["LAST-0001-XYZ"])
    plenty = await vault.stock(["PLENTY-0001-XYZ", "PLENTY-0002-XYZ"])
    order = a_request(
        reservation_id=await vault.hold((pool, 1), (plenty, 1)),
        lines=[a_line(line_no=1, pool_id=str(pool)), a_line(line_no=2, pool_id=str(plenty))],
    )
    await vault.release(order.message.reservation_id)
    await vault.hold((pool, 1))
    await acceptor(served)(order)
    await dispatch(served)
    events = await published(served)
    assert [type(event) for event in events] == [LineFailed, LineFailed]
    assert {event.reason for event in events} == {"out_of_stock"}  # type: ignore[attr-defined]  # all failed
    assert (await vault.levels(plenty))["available"] == 2


async def test_an_order_whose_second_hold_is_lost_too_gets_a_third(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock(["THIRD-0001-XYZ"])
    order = await _order(vault, pool)
    await vault.release(order.message.reservation_id)
    await acceptor(served)(order)
    vault.line.lose_answer(2)
    await dispatch(served)
    await vault.release(await vault.find_hold(f"{order.message.order_id}:again"))
    for _ in range(3):
        await end_pauses(served)
        await dispatch(served)
    assert [type(event) for event in await published(served)] == [LineDelivered]
    assert (await vault.levels(pool))["sold"] == 1


async def test_another_merchants_reservation_is_never_claimed(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock(["MINE-0001-XYZ"])
    event: Event[FulfillmentRequested] = await _order(vault, pool, merchant_id=str(new_id()))
    await acceptor(served)(event)
    await dispatch(served)
    assert await _states(served) == ["pending"]
    assert (await vault.levels(pool))["sold"] == 0


async def test_one_order_nobody_can_serve_does_not_hold_up_its_neighbours(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"NEXT-{n:04}-XYZ" for n in range(4)])
    good = [await _order(vault, pool) for _ in range(3)]
    odd = await _order(vault, pool)
    odd.message.lines[0].quantity = 2
    await acceptor(served)(*good, odd)
    await dispatch(served)
    assert sorted(await _states(served)) == ["delivered"] * 3 + ["pending"]


async def test_an_outcome_that_cannot_be_written_does_not_hold_up_the_others(
    served: Service, vault: RealVault
) -> None:
    pool = await vault.stock([f"WRITE-{n:04}-XYZ" for n in range(4)])
    earlier = await _order(vault, pool)
    await acceptor(served)(earlier)
    await dispatch(served)
    contested = await _order(vault, pool)
    [unit_id] = await vault.claim(contested.message.reservation_id)
    async with served.db.transaction() as tx:
        await tx.execute(_DELIVER_TO_EARLIER, {"unit_id": unit_id})
    await acceptor(served)(*[await _order(vault, pool) for _ in range(2)], contested)
    await dispatch(served)
    assert sorted(await _states(served)) == ["delivered"] * 3 + ["pending"]


_DELIVER_TO_EARLIER = text(
    """
    INSERT INTO delivered_unit (unit_id, delivery_id, position, lot_id, mask)
    SELECT CAST(:unit_id AS uuid), d.id, 2, u.lot_id, u.mask
    FROM delivery d JOIN delivered_unit u ON u.delivery_id = d.id
    """
)
