"""Low stock by projected cover: it crosses once, and recovers with a margin."""

from typing import Any

from sqlalchemy import text

from inventory_vault.cover.domain import is_low_now
from kit.service import Service
from lockstock.inventory_vault.v1.stock_events_pb2 import StockLow
from tests.inventory_vault.factories import Vault


def test_low_is_below_the_limit_and_stays_so_until_well_above_it():
    assert is_low_now(2.9, 3, was_low=False)
    assert not is_low_now(3.0, 3, was_low=False)
    assert is_low_now(3.5, 3, was_low=True)
    assert not is_low_now(3.6, 3, was_low=True)
    assert not is_low_now(None, 3, was_low=True)
    assert not is_low_now(1.0, None, was_low=False)


async def _review(service: Service) -> None:
    job = next(job for job in service.jobs if job.name == "review-cover")
    assert not await job._run()


async def _an_hour_later(service: Service, vault: Vault, hours: float = 1) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE pool_sample SET taken_at = taken_at - make_interval(secs => :s) "
                "WHERE merchant_id = :m"
            ),
            {"s": hours * 3600, "m": vault.merchant},
        )


async def _lows(rows, vault: Vault) -> list[Any]:
    found = await rows(
        "SELECT payload FROM event_log WHERE merchant_id = :m AND type LIKE '%.StockLow' "
        "ORDER BY id",
        m=vault.merchant,
    )
    return [StockLow.FromString(bytes(row.payload)) for row in found]


async def test_stock_low_is_published_when_the_cover_falls_below_its_limit(
    vault: Vault, service: Service, rows
):
    pool_id = await vault.stocked(100, low_cover_days=2)
    await _review(service)
    unknown = (await vault.client.get(f"/v1/pools/{pool_id}")).json()
    assert (unknown["sold_per_day"], unknown["cover_days"]) == (None, None)
    await vault.sold(pool_id, 10)
    await _an_hour_later(service, vault)

    await _review(service)

    [low] = await _lows(rows, vault)
    assert low.pool_id == pool_id
    assert low.available == 90
    assert 235 < low.sold_per_day <= 240
    assert 0.3 < low.projected_cover_days < 0.4
    read = (await vault.client.get(f"/v1/pools/{pool_id}")).json()
    assert 0.3 < read["cover_days"] < 0.4
    await vault.sold(pool_id, 1)
    await _an_hour_later(service, vault)
    await _review(service)
    assert len(await _lows(rows, vault)) == 1, "only at the crossing"


async def test_restocked_and_low_again_is_told_again(vault: Vault, service: Service, rows):
    pool_id = await vault.stocked(20, low_cover_days=1)
    await _review(service)
    await vault.sold(pool_id, 5)
    await _an_hour_later(service, vault)
    await _review(service)
    await vault.add_lot(pool_id, 400, prefix="MORE")
    await _an_hour_later(service, vault)
    await _review(service)
    assert len(await _lows(rows, vault)) == 1
    await vault.sold(pool_id, 410)
    await _an_hour_later(service, vault)
    await _review(service)
    assert len(await _lows(rows, vault)) == 2


async def test_a_threshold_crossed_by_a_sale_tells_the_pace_as_well(
    vault: Vault, service: Service, rows
):
    pool_id = await vault.stocked(20, low_stock_threshold=10)
    await _review(service)
    await vault.sold(pool_id, 5)
    await _an_hour_later(service, vault)
    await _review(service)
    await vault.held(pool_id, 6)
    [low] = await _lows(rows, vault)
    assert (low.available, low.threshold) == (9, 10)
    assert low.sold_per_day > 100
