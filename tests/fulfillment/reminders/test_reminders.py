"""Reminders of what ends soon and was not used: once per unit and step."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fulfillment.reminders.service import ReminderService
from kit.ids import new_id
from kit.service import Service
from tests.fulfillment.after_sales import Shop, Sold, open_shop
from tests.fulfillment.real_vault import RealVault

WORKERS = 8


@pytest.fixture
async def shop(served: Service, vault: RealVault) -> Any:
    async with open_shop(served, vault) as made:
        yield made


async def sell(shop: Shop, vault: RealVault, *, quantity: int = 1, kind: str = "code") -> Sold:
    codes = [f"REM-{number:05}-{new_id().hex[-8:]}" for number in range(quantity)]
    return await shop.sell(await vault.stock(codes, kind=kind), quantity)


async def ends_in(
    shop: Shop, sold: Sold, *, sold_before: timedelta = timedelta(days=60), **until: float
) -> None:
    """The order's units end after so long, and were delivered so long ago."""
    async with shop.service.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE delivered_unit SET expires_at = clock_timestamp() "
                "+ CAST(:until AS interval) WHERE delivery_id = :id"
            ),
            {"until": timedelta(**until), "id": sold.delivery_id},
        )
        await tx.execute(
            text(
                "UPDATE delivery SET settled_at = clock_timestamp() - CAST(:before AS interval) "
                "WHERE id = :id"
            ),
            {"before": sold_before, "id": sold.delivery_id},
        )


async def steps(shop: Shop) -> list[tuple[str, int]]:
    """What was told, in order."""
    return [(told.unit_id, told.days) for told in await shop.told("UnitExpiring")]


async def test_a_unit_is_told_of_seven_days_and_one_day_before_its_end(
    shop: Shop, vault: RealVault
) -> None:
    sold = await sell(shop, vault)
    [unit] = sold.units
    await ends_in(shop, sold, days=7, seconds=30)
    await shop.work()
    assert await steps(shop) == []
    await ends_in(shop, sold, days=7, seconds=-1)
    await shop.work()
    await shop.work()
    assert await steps(shop) == [(unit, 7)]
    await ends_in(shop, sold, days=1, seconds=-1)
    await shop.work()
    await shop.work()
    assert await steps(shop) == [(unit, 7), (unit, 1)]
    [first, _] = await shop.told("UnitExpiring")
    assert (first.order_id, first.delivery_id, first.opened) == (
        sold.order_id,
        sold.delivery_id,
        False,
    )


async def test_one_message_goes_to_the_buyer_per_delivery_and_step(
    shop: Shop, vault: RealVault
) -> None:
    sold = await sell(shop, vault, quantity=3)
    await ends_in(shop, sold, days=3)
    await shop.work()
    assert len(await steps(shop)) == 3
    rows = await shop.rows("SELECT purpose FROM message WHERE order_id = :id", id=sold.order_id)
    assert [row.purpose for row in rows].count("expiring") == 1


async def test_nobody_is_told_of_what_was_just_bought_or_has_ended(
    shop: Shop, vault: RealVault
) -> None:
    fresh, over = await sell(shop, vault), await sell(shop, vault)
    await ends_in(shop, fresh, days=3, sold_before=timedelta(0))
    await ends_in(shop, over, seconds=-1)
    await shop.work()
    assert await steps(shop) == []
    await ends_in(shop, fresh, hours=23, sold_before=timedelta(hours=3))
    await shop.work()
    assert await steps(shop) == [(fresh.units[0], 1)]


async def test_an_opened_code_is_used_but_an_opened_voucher_is_not(
    shop: Shop, vault: RealVault
) -> None:
    code, voucher = await sell(shop, vault), await sell(shop, vault, kind="voucher")
    used = await sell(shop, vault, kind="voucher")
    for sold in (code, voucher, used):
        await ends_in(shop, sold, days=3)
    async with shop.service.db.transaction() as tx:
        await tx.execute(text("UPDATE delivered_unit SET opened_at = clock_timestamp()"))
        await tx.execute(
            text("UPDATE delivered_unit SET redeemed_at = clock_timestamp() WHERE unit_id = :unit"),
            {"unit": used.units[0]},
        )
    await shop.work()
    assert await steps(shop) == [(voucher.units[0], 7)]
    [told] = await shop.told("UnitExpiring")
    assert told.opened is True


async def test_what_was_replaced_is_not_told_of(shop: Shop, vault: RealVault) -> None:
    sold = await sell(shop, vault)
    await ends_in(shop, sold, days=3)
    async with shop.service.db.transaction() as tx:
        await tx.execute(text("UPDATE delivered_unit SET out_of_use_at = clock_timestamp()"))
    await shop.work()
    assert await steps(shop) == []


async def test_a_merchant_sets_other_steps_or_none(shop: Shop, vault: RealVault) -> None:
    path = "/v1/reminder-settings"
    assert (await shop.client.get(path)).json() == {"days": [7, 1]}
    sold = await sell(shop, vault)
    await ends_in(shop, sold, days=20)
    assert (await shop.client.put(path, json={"days": []})).json() == {"days": []}
    await shop.work()
    assert await steps(shop) == []
    assert (await shop.client.put(path, json={"days": [3, 30]})).json() == {"days": [30, 3]}
    await shop.work()
    assert await steps(shop) == [(sold.units[0], 30)]


@pytest.mark.parametrize("days", [[0], [91], [7, 7], [1, 2, 3, 4, 5, 6], ["7"], [1.5]])
async def test_senseless_steps_are_refused(shop: Shop, days: list[Any]) -> None:
    answer = await shop.client.put("/v1/reminder-settings", json={"days": days})
    assert answer.status_code == 422


async def test_many_workers_at_once_tell_each_unit_and_step_once(
    shop: Shop, vault: RealVault
) -> None:
    sold = await sell(shop, vault, quantity=1_200)
    await ends_in(shop, sold, days=3)
    reminders = ReminderService(shop.service.state["messages"])

    async def remind() -> None:
        while True:
            async with shop.service.db.transaction() as tx:
                if not await reminders.remind(tx):
                    return

    await asyncio.gather(*(remind() for _ in range(WORKERS)))
    await remind()
    told = await steps(shop)
    assert len(told) == len(set(told)) == 1_200
