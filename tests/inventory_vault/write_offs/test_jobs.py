"""What is lost is told to the books once, at the cost of these very units."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.redemptions.domain import Wish
from inventory_vault.redemptions.service import RedemptionService
from inventory_vault.write_offs import repository
from inventory_vault.write_offs.domain import DueLot
from kit.money import Money
from kit.service import Service
from lockstock.inventory_vault.v1.redemption_events_pb2 import (
    RedemptionRolledBack,
    VoucherExpired,
)
from lockstock.inventory_vault.v1.stock_events_pb2 import StockWrittenOff
from tests.inventory_vault.factories import Vault, run_job
from tests.inventory_vault.tills import FACE_VALUE, Till

Rows = Callable[..., Awaitable[list[Any]]]
JOB = "write-off-lost-units"
WHY = {"reason": "a bad batch"}


async def told(rows: Rows, pool_id: str) -> list[tuple[str, int, int]]:
    """(reason, units, cost) of each write-off of the pool's lots, in their order."""
    events = await rows(
        "SELECT payload FROM event_log WHERE key = :key AND type = :type ORDER BY id",
        key=pool_id,
        type=StockWrittenOff.DESCRIPTOR.full_name,
    )
    messages = [StockWrittenOff.FromString(bytes(row.payload)) for row in events]
    return [
        (
            StockWrittenOff.Reason.Name(it.reason).removeprefix("REASON_"),
            it.quantity,
            it.cost.amount_minor,
        )
        for it in messages
    ]


async def in_past(service: Service, sql: str, **values: Any) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text(sql), values)


async def units_of(rows: Rows, lot_id: str) -> list[str]:
    found = await rows("SELECT unit_id FROM unit WHERE lot_id = :l ORDER BY seq", l=lot_id)
    return [str(row.unit_id) for row in found]


async def test_a_voided_unit_is_told_once_at_its_own_cost(
    vault: Vault, service: Service, rows: Rows
) -> None:
    pool_id = await vault.pool()
    lot = (await vault.add_lot(pool_id, 3))["lot_id"]
    await in_past(service, "UPDATE unit SET unit_cost = 777 WHERE lot_id = :l AND seq = 2", l=lot)
    for unit in (await units_of(rows, lot))[:2]:
        voided = await vault.client.post(f"/v1/units/{unit}/void", json=WHY)
        assert voided.status_code == 200, voided.text
    await run_job(service, JOB)
    await run_job(service, JOB)
    assert await told(rows, pool_id) == [("VOIDED", 2, 500 + 777)]


async def test_a_quarantined_unit_is_not_lost_before_it_is_voided(
    vault: Vault, service: Service, rows: Rows
) -> None:
    pool_id = await vault.pool()
    lot = (await vault.add_lot(pool_id, 2))["lot_id"]
    unit = (await units_of(rows, lot))[0]
    await vault.client.post(f"/v1/units/{unit}/quarantine", json=WHY)
    await run_job(service, JOB)
    assert await told(rows, pool_id) == []
    await vault.client.post(f"/v1/units/{unit}/void", json=WHY)
    await run_job(service, JOB)
    assert await told(rows, pool_id) == [("VOIDED", 1, 500)]


async def test_of_a_voided_lot_what_was_sold_is_not_lost_and_what_comes_back_is(
    vault: Vault, service: Service, rows: Rows
) -> None:
    pool_id = await vault.pool()
    lot = (await vault.add_lot(pool_id, 10))["lot_id"]
    await vault.sold(pool_id, 3)
    held = await vault.held(pool_id, 2)
    voided = await vault.client.post(f"/v1/lots/{lot}/void", json=WHY)
    assert voided.status_code == 200, voided.text
    await run_job(service, JOB)
    assert await told(rows, pool_id) == [("VOIDED", 5, 2_500)]
    await vault.release(held)
    await run_job(service, JOB)
    assert await told(rows, pool_id) == [("VOIDED", 5, 2_500), ("VOIDED", 2, 1_000)]
    assert await vault.conserved(pool_id)


async def test_a_lot_past_its_time_is_lost_as_a_whole(
    vault: Vault, service: Service, rows: Rows
) -> None:
    pool_id = await vault.pool()
    lot = (await vault.add_lot(pool_id, 4, expires_at="2060-01-01T00:00:00Z"))["lot_id"]
    await vault.sold(pool_id, 1)
    await run_job(service, JOB)
    assert await told(rows, pool_id) == []
    await in_past(
        service,
        "UPDATE lot SET expires_at = now() - interval '1 minute', "
        "head_expires_at = now() - interval '1 minute' WHERE id = :l",
        l=lot,
    )
    await run_job(service, JOB)
    assert await told(rows, pool_id) == [("EXPIRED", 3, 1_500)]


@pytest.mark.parametrize("action", ["quarantine", "void"])
async def test_an_expired_unit_stays_so_and_one_that_comes_back_later_is_lost_too(
    vault: Vault, service: Service, rows: Rows, action: str
) -> None:
    pool_id = await vault.pool()
    lot = (await vault.add_lot(pool_id, 4, expires_at="2060-01-01T00:00:00Z"))["lot_id"]
    held = await vault.held(pool_id, 1)
    await in_past(
        service,
        "UPDATE lot SET expires_at = now() - interval '1 minute', "
        "head_expires_at = now() - interval '1 minute' WHERE id = :l",
        l=lot,
    )
    await run_job(service, JOB)
    last = (await units_of(rows, lot))[-1]

    refused = await vault.client.post(f"/v1/units/{last}/{action}", json=WHY)
    by_filter = await vault.client.post(
        "/v1/stock-actions",
        json={"action": action, "filter": {"pool_id": pool_id, "unit_ids": [last]}, **WHY},
    )
    await vault.release(held)
    await run_job(service, JOB)

    assert (refused.status_code, refused.json()["state"]) == (409, "expired")
    assert (by_filter.json()["matched"], by_filter.json()["moved"]) == (0, 0)
    assert await told(rows, pool_id) == [("EXPIRED", 3, 1_500), ("EXPIRED", 1, 500)]
    assert await vault.conserved(pool_id)


async def test_units_that_expire_one_by_one_are_lost_one_by_one(
    vault: Vault, service: Service, rows: Rows
) -> None:
    pool_id = await vault.pool()
    lines = [f"W-{n},20{40 + n}-01-01" for n in range(1, 5)]
    lot = (await vault.imported(pool_id, "code,expiry\n" + "\n".join(lines)))["lot_id"]
    for table in ("unit", "free_unit"):
        await in_past(
            service,
            f"UPDATE {table} SET expires_at = now() - interval '1 minute' "  # noqa: S608 - named above
            "WHERE lot_id = :l AND seq <= 2",
            l=lot,
        )
    await in_past(
        service,
        "UPDATE lot SET head_expires_at = now() - interval '1 minute' WHERE id = :l",
        l=lot,
    )
    await run_job(service, "withdraw-expired-units")
    await run_job(service, JOB)
    assert await told(rows, pool_id) == [("EXPIRED", 2, 1_000)]


async def test_two_workers_tell_each_unit_once(vault: Vault, service: Service, rows: Rows) -> None:
    pool_id = await vault.pool()
    lot = (await vault.add_lot(pool_id, 8))["lot_id"]
    await vault.client.post(f"/v1/lots/{lot}/void", json=WHY)
    await asyncio.gather(*(run_job(service, JOB) for _ in range(3)))
    assert await told(rows, pool_id) == [("VOIDED", 8, 4_000)]


async def test_a_lot_with_written_off_units_is_not_undone(
    vault: Vault, service: Service, rows: Rows
) -> None:
    pool_id = await vault.pool()
    lot = (await vault.add_lot(pool_id, 2))["lot_id"]
    unit = (await units_of(rows, lot))[0]
    await vault.client.post(f"/v1/units/{unit}/void", json=WHY)
    await run_job(service, JOB)
    refused = await vault.client.post(f"/v1/lots/{lot}/undo", json=WHY)
    assert (refused.status_code, refused.json()["code"]) == (409, "lot_not_undoable")


async def test_a_sale_of_vouchers_says_what_they_are_worth(vault: Vault, till: Till) -> None:
    pool_id, _ = await till.stocked(2)
    sold = await vault.sold(pool_id, 2)
    assert [unit["face_value"]["amount"] for unit in sold] == [FACE_VALUE] * 2
    codes = await vault.sold(await vault.stocked(1), 1)
    assert codes[0]["face_value"] is None


@pytest.mark.parametrize("redeemed", [0, 25, FACE_VALUE])
async def test_what_is_left_on_an_expired_voucher_is_told_once(
    vault: Vault, till: Till, service: Service, rows: Rows, redeemed: int
) -> None:
    (unit,) = await till.sold(1, expires_at="2060-01-01T00:00:00Z")
    if redeemed:
        await till.redeemed(unit, amount={"amount": redeemed, "currency": "CNY"})
    job = "expire-sold-vouchers"
    await run_job(service, job)
    assert await expired(rows, unit) == []
    await let_expire(service, vault)
    await run_job(service, job)
    await run_job(service, job)
    left = FACE_VALUE - redeemed
    assert await expired(rows, unit) == ([left] if left else [])


@pytest.mark.parametrize("is_told_before", [True, False])
@pytest.mark.parametrize("rest", [0, 15])
async def test_what_comes_back_to_an_expired_voucher_is_over_and_no_part_of_what_was_left(
    vault: Vault, till: Till, service: Service, rows: Rows, *, is_told_before: bool, rest: int
) -> None:
    (unit,) = await till.sold(1, expires_at="2060-01-01T00:00:00Z")
    parts = (10, 20, FACE_VALUE - 30 - rest)
    done = [await till.redeemed(unit, amount={"amount": part, "currency": "CNY"}) for part in parts]
    await till.roll_back(done[0]["id"])
    left = rest + 10
    await let_expire(service, vault)
    if is_told_before:
        await run_job(service, "expire-sold-vouchers")

    await till.roll_back(done[1]["id"])
    await till.roll_back(done[1]["id"])
    await run_job(service, "expire-sold-vouchers")
    await till.roll_back(done[2]["id"])
    await run_job(service, "expire-sold-vouchers")

    assert await expired(rows, unit) == [left]
    assert await rolled_back(rows, unit) == [
        (10, False),
        (20, True),
        (FACE_VALUE - 30 - rest, True),
    ]


async def test_a_voucher_that_was_used_up_has_nothing_to_expire_when_a_part_comes_back(
    vault: Vault, till: Till, service: Service, rows: Rows
) -> None:
    (unit,) = await till.sold(1, expires_at="2060-01-01T00:00:00Z")
    done = await till.redeemed(unit)
    await let_expire(service, vault)

    await till.roll_back(done["id"])
    await run_job(service, "expire-sold-vouchers")

    assert await expired(rows, unit) == []
    assert await rolled_back(rows, unit) == [(FACE_VALUE, True)]


async def test_the_job_and_a_rollback_at_once_tell_each_amount_once(
    vault: Vault, till: Till, service: Service, rows: Rows
) -> None:
    units = await till.sold(6, expires_at="2060-01-01T00:00:00Z")
    done = [await till.redeemed(it, amount={"amount": 25, "currency": "CNY"}) for it in units]
    await let_expire(service, vault)

    await asyncio.gather(
        run_job(service, "expire-sold-vouchers"), *(till.roll_back(it["id"]) for it in done)
    )
    await run_job(service, "expire-sold-vouchers")

    for unit in units:
        assert await expired(rows, unit) == [FACE_VALUE - 25]
        assert await rolled_back(rows, unit) == [(25, True)]


async def test_what_was_redeemed_just_in_time_is_no_part_of_what_was_left(
    vault: Vault, till: Till, service: Service, rows: Rows
) -> None:
    (unit,) = await till.sold(1, expires_at="2060-01-01T00:00:00Z")
    wish = Wish(
        merchant_id=vault.merchant,
        unit_id=UUID(unit),
        amount=Money(25, "CNY"),
        merchant_reference="in-time",
        buyer_id=None,
        shop_id=None,
        requested_by="test",
    )
    async with service.db.transaction() as tx:
        await RedemptionService().redeem(tx, wish)
        await let_expire(service, vault)
        await run_job(service, "expire-sold-vouchers")
        assert await expired(rows, unit) == []
    await run_job(service, "expire-sold-vouchers")
    assert await expired(rows, unit) == [FACE_VALUE - 25]


@pytest.mark.parametrize("is_mixed", [True, False])
async def test_what_was_told_of_a_lot_is_not_looked_at_again(
    vault: Vault, till: Till, service: Service, rows: Rows, *, is_mixed: bool
) -> None:
    units = await till.sold(3, expires_at="2060-01-01T00:00:00Z")
    await let_expire(service, vault, hours=1)
    if is_mixed:
        lot = "UPDATE lot SET mixed_expiry = true, expires_at = NULL WHERE merchant_id = :m"
        await in_past(service, lot, m=vault.merchant)
        later = "UPDATE unit SET expires_at = now() + interval '1 day' WHERE unit_id = :u"
        await in_past(service, later, u=units[2])
    assert len(await due_lots(service, vault)) == 1

    await run_job(service, "expire-sold-vouchers")
    assert await due_lots(service, vault) == []
    told = [await expired(rows, unit) for unit in units]

    if is_mixed:
        assert told == [[FACE_VALUE], [FACE_VALUE], []]
        await in_past(service, later.replace("+ interval '1 day'", ""), u=units[2])
        (lot_due,) = await due_lots(service, vault)
        assert (lot_due.first_seq, lot_due.last_seq) == (3, 3)
        await run_job(service, "expire-sold-vouchers")
        told = [await expired(rows, unit) for unit in units]
    assert told == [[FACE_VALUE]] * 3


async def test_a_voucher_that_was_held_in_time_and_sold_after_the_look_is_told_too(
    vault: Vault, till: Till, service: Service, rows: Rows
) -> None:
    pool_id, _ = await till.stocked(2, expires_at="2060-01-01T00:00:00Z")
    await vault.sold(pool_id)
    held = await vault.held(pool_id)
    await let_expire(service, vault, hours=1)
    await run_job(service, "expire-sold-vouchers")

    late = (await vault.claim(held)).json()["units"][0]["unit_id"]
    await run_job(service, "expire-sold-vouchers")

    assert await expired(rows, late) == [FACE_VALUE]
    assert await due_lots(service, vault) == []


async def test_a_lot_that_just_expired_is_looked_at_again_for_holds_that_were_being_made(
    vault: Vault, till: Till, service: Service
) -> None:
    await till.sold(1, expires_at="2060-01-01T00:00:00Z")
    await let_expire(service, vault)

    await run_job(service, "expire-sold-vouchers")

    assert len(await due_lots(service, vault)) == 1


async def due_lots(service: Service, vault: Vault) -> list[DueLot]:
    """Of this merchant: other tests of the database leave theirs."""
    async with service.db.read() as tx:
        found = await tx.execute(
            text("SELECT id FROM lot WHERE merchant_id = :m"), {"m": vault.merchant}
        )
        own = {row.id for row in found}
        return [lot for lot in await repository.due_lots(tx, None, 10_000) if lot.id in own]


async def let_expire(service: Service, vault: Vault, hours: int = 0) -> None:
    """Since a minute and so many hours."""
    for table in ("unit", "lot"):
        await in_past(
            service,
            f"UPDATE {table} SET expires_at = now() - interval '1 minute' "  # noqa: S608 - named above
            "- CAST(:hours AS integer) * interval '1 hour' WHERE merchant_id = :m",
            m=vault.merchant,
            hours=hours,
        )


async def rolled_back(rows: Rows, unit_id: str) -> list[tuple[int, bool]]:
    """(amount, whether its time is over) of each, in order."""
    events = await rows(
        "SELECT payload FROM event_log WHERE key = :key AND type = :type ORDER BY id",
        key=unit_id,
        type=RedemptionRolledBack.DESCRIPTOR.full_name,
    )
    told = [RedemptionRolledBack.FromString(bytes(row.payload)) for row in events]
    return [(it.amount.amount_minor, it.is_over) for it in told]


async def expired(rows: Rows, unit_id: str) -> list[int]:
    events = await rows(
        "SELECT payload FROM event_log WHERE key = :key AND type = :type",
        key=unit_id,
        type=VoucherExpired.DESCRIPTOR.full_name,
    )
    return [VoucherExpired.FromString(bytes(row.payload)).balance.amount_minor for row in events]
