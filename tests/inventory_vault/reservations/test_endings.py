"""How holds end without their owner: orders, time."""

from sqlalchemy import text

from kit.service import Service
from lockstock.order.v1.order_events_pb2 import (
    OrderCancelled,
    OrderExpired,
    OrderPaid,
    OrderRefunded,
)
from tests.inventory_vault.factories import Recipient, Vault, an_event


async def _expire_all(service: Service) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE reservation SET expires_at = now() - interval '1 second' "
                "WHERE status = 'held'"
            )
        )
    job = next(job for job in service.jobs if job.name == "expire-reservations")
    while await job._run():
        pass


async def _events(rows, vault: Vault, kind: str) -> int:
    [row] = await rows(
        "SELECT count(*) AS n FROM event_log WHERE type LIKE :kind AND merchant_id = :m",
        kind=f"%.{kind}",
        m=vault.merchant,
    )
    return int(row.n)


async def test_a_hold_past_its_time_gives_its_units_back(vault: Vault, service: Service, rows):
    pool_id = await vault.stocked(3)
    reservation_id = await vault.held(pool_id, 2)

    await _expire_all(service)

    assert (await vault.levels(pool_id))["available"] == 3
    read = await vault.client.get(f"/v1/reservations/{reservation_id}")
    assert read.json()["status"] == "expired"
    late = await vault.claim(reservation_id)
    assert (late.status_code, late.json()["code"]) == (409, "reservation_expired")
    assert await _events(rows, vault, "ReservationExpired") == 1


async def test_a_hold_past_its_time_is_claimable_until_it_is_swept(vault: Vault, service: Service):
    pool_id = await vault.stocked(3)
    reservation_id = await vault.held(pool_id, 2)
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE reservation SET expires_at = now() - interval '1 hour'"))

    assert (await vault.claim(reservation_id)).status_code == 200

    await _expire_all(service)
    assert (await vault.levels(pool_id))["sold"] == 2


async def test_a_paid_order_keeps_its_units_without_a_time_limit(
    vault: Vault, service: Service, deliver
):
    pool_id = await vault.stocked(3)
    reservation_id = await vault.held(pool_id, 2)

    paid = an_event(OrderPaid(order_id="o", reservation_id=reservation_id), key="o")
    await deliver(paid)
    await deliver(paid)
    await _expire_all(service)

    read = (await vault.client.get(f"/v1/reservations/{reservation_id}")).json()
    assert (read["status"], read["expires_at"]) == ("secured", None)
    assert (await vault.claim(reservation_id)).status_code == 200


async def test_an_order_that_ends_gives_its_units_back(vault: Vault, deliver, rows):
    pool_id = await vault.stocked(6)
    held = [await vault.held(pool_id, 2) for _ in range(3)]

    await deliver(an_event(OrderCancelled(order_id="a", reservation_id=held[0]), key="a"))
    await deliver(an_event(OrderExpired(order_id="b", reservation_id=held[1]), key="b"))
    await deliver(an_event(OrderRefunded(order_id="c", reservation_id=held[2]), key="c"))

    assert (await vault.levels(pool_id))["available"] == 6
    assert await _events(rows, vault, "ReservationReleased") == 3
    assert await vault.conserved(pool_id)


async def test_a_cancelled_order_does_not_take_back_what_is_sold(vault: Vault, deliver):
    pool_id = await vault.stocked(2)
    reservation_id = await vault.held(pool_id, 2)
    await vault.claim(reservation_id)

    await deliver(an_event(OrderRefunded(order_id="a", reservation_id=reservation_id), key="a"))

    assert (await vault.levels(pool_id))["sold"] == 2


async def test_events_without_a_reservation_of_ours_change_nothing(vault: Vault, deliver):
    await deliver(an_event(OrderPaid(order_id="a"), key="a"))
    await deliver(
        an_event(
            OrderCancelled(order_id="a", reservation_id="0193a3f0-0000-7000-8000-0000000000aa"),
            key="a",
        )
    )


async def test_a_refused_claim_leaves_no_hand_out_in_the_log(vault: Vault, rows):
    held = await vault.held(await vault.stocked(2), 2)
    whole = {"reservation_id": held, "recipient_public_key": Recipient().public_key}
    less = whole | {
        "recipient_public_key": Recipient().public_key,
        "lines": [{"line_no": 1, "quantity": 1}],
    }

    answer = await vault.client.post("/v1/reservations/claims", json={"items": [whole, less]})

    assert [item["result"] for item in answer.json()["items"]] == ["sold", "reservation_sold"]
    logged = await rows("SELECT 1 FROM handout WHERE reservation_id = CAST(:id AS uuid)", id=held)
    assert len(logged) == 1


async def test_a_sale_is_published_once_with_the_ids_of_its_units(vault: Vault, rows):
    pool_id = await vault.stocked(3)
    reservation_id = await vault.held(pool_id, 2)
    await vault.claim(reservation_id)
    await vault.claim(reservation_id)
    assert await _events(rows, vault, "ReservationSold") == 1


async def test_the_last_unit_and_the_threshold_are_published_when_crossed(vault: Vault, rows):
    pool_id = await vault.stocked(10, low_stock_threshold=5)
    for _ in range(10):
        await vault.held(pool_id)
    assert await _events(rows, vault, "StockLow") == 1
    assert await _events(rows, vault, "StockOut") == 1
    assert await _events(rows, vault, "StockImported") == 1
