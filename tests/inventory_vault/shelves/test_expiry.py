"""First expiring, first out; what has expired is not sold and not lost."""

from typing import Any

from sqlalchemy import text

from kit.service import Service
from tests.inventory_vault.factories import Recipient, Vault


async def _codes(vault: Vault, pool_id: str, quantity: int) -> list[str]:
    shop = Recipient()
    claimed = await vault.claim(await vault.held(pool_id, quantity), shop)
    return [shop.open(unit["box"])["code"] for unit in claimed.json()["units"]]


async def _in_past(service: Service, sql: str, **values: Any) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text(sql), values)


async def _mixed_lot(vault: Vault) -> str:
    """Units E-1 .. E-6, expiring in that order, in a file of another order."""
    pool_id = await vault.pool()
    lines = [f"E-{n},20{40 + n}-01-01" for n in (3, 1, 6, 2, 5, 4)]
    receipt = await vault.imported(pool_id, "code,expiry\n" + "\n".join(lines))
    assert receipt["accepted"] == 6
    return pool_id


async def _expire(vault: Vault, service: Service, upto: int) -> None:
    """Lets the first `upto` units of the merchant's mixed lot end, as time would."""
    await _in_past(
        service,
        "UPDATE unit SET expires_at = now() - interval '1 minute' "
        "WHERE merchant_id = :m AND seq <= :n",
        m=vault.merchant,
        n=upto,
    )
    await _in_past(
        service,
        "UPDATE free_unit SET expires_at = now() - interval '1 minute' "
        "WHERE merchant_id = :m AND seq <= :n",
        m=vault.merchant,
        n=upto,
    )
    await _in_past(
        service,
        "UPDATE lot SET head_expires_at = now() - interval '1 minute' WHERE merchant_id = :m",
        m=vault.merchant,
    )


async def test_the_lot_that_expires_first_is_sold_first(vault: Vault):
    pool_id = await vault.pool()
    await vault.add_lot(pool_id, 2, prefix="NEVER")
    await vault.add_lot(pool_id, 2, prefix="LATER", expires_at="2060-01-01T00:00:00Z")
    await vault.add_lot(pool_id, 2, prefix="SOON", expires_at="2050-01-01T00:00:00Z")
    sold = [(await _codes(vault, pool_id, 1))[0] for _ in range(5)]
    assert sold == [
        "SOON-000001",
        "SOON-000002",
        "LATER-000001",
        "LATER-000002",
        "NEVER-000001",
    ]


async def test_units_of_one_lot_are_sold_in_the_order_of_their_expiry(vault: Vault):
    pool_id = await _mixed_lot(vault)
    assert await _codes(vault, pool_id, 4) == ["E-1", "E-2", "E-3", "E-4"]


async def test_a_lot_past_its_time_is_not_sold_and_counts_as_expired(
    vault: Vault, service: Service
):
    pool_id = await vault.pool()
    await vault.add_lot(pool_id, 4, prefix="OLD", expires_at="2050-01-01T00:00:00Z")
    held = await vault.held(pool_id, 1)
    await _in_past(
        service,
        "UPDATE lot SET expires_at = now() - interval '1 day', "
        "head_expires_at = now() - interval '1 day' WHERE merchant_id = :m",
        m=vault.merchant,
    )

    answer = await vault.reserve(pool_id)

    assert (answer.status_code, answer.json()["lines"][0]["available"]) == (409, 0)
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["expired"], levels["reserved"]) == (0, 3, 1)
    await vault.release(held)
    assert (await vault.levels(pool_id))["expired"] == 4
    assert await vault.conserved(pool_id)


async def test_expired_units_of_a_mixed_lot_are_stepped_over(vault: Vault, service: Service):
    pool_id = await _mixed_lot(vault)
    await _expire(vault, service, 2)
    before = await vault.levels(pool_id)

    assert await _codes(vault, pool_id, 2) == ["E-3", "E-4"]

    after = await vault.levels(pool_id)
    assert (before["available"], before["expired"]) == (4, 2)
    assert (after["available"], after["expired"], after["sold"]) == (2, 2, 2)
    assert await vault.conserved(pool_id)


async def test_units_given_back_expire_too(vault: Vault, service: Service):
    pool_id = await _mixed_lot(vault)
    held = await vault.held(pool_id, 3)
    await vault.release(held)
    await _expire(vault, service, 2)

    assert await _codes(vault, pool_id, 2) == ["E-3", "E-4"]
    answer = await vault.reserve(pool_id, 3)
    assert answer.json()["lines"][0]["available"] == 2
    assert await vault.conserved(pool_id)


async def test_expired_units_leave_the_shelf_although_nobody_asks(
    vault: Vault, service: Service, rows
):
    pool_id = await _mixed_lot(vault)
    await _expire(vault, service, 6)

    job = next(job for job in service.jobs if job.name == "withdraw-expired-units")
    while await job._run():
        pass

    [lot] = await rows(
        "SELECT has_stock, next_seq FROM lot WHERE merchant_id = :m", m=vault.merchant
    )
    assert (lot.has_stock, lot.next_seq) == (False, 7)
    levels = await vault.levels(pool_id)
    assert (levels["expired"], levels["total"]) == (6, 6)
    assert await vault.conserved(pool_id)


async def test_withdrawn_units_ahead_are_stepped_over(vault: Vault, service: Service):
    pool_id = await vault.stocked(6)
    await _in_past(
        service,
        "WITH w AS (INSERT INTO withdrawn_unit (lot_id, seq, merchant_id, state, reason) "
        "SELECT lot_id, seq, merchant_id, 'void', 'bad' FROM unit "
        "WHERE merchant_id = :m AND seq IN (2, 3, 6) RETURNING lot_id), "
        "t AS (UPDATE lot_tally SET void = 3 WHERE merchant_id = :m) "
        "UPDATE lot SET gaps_ahead = 3 WHERE merchant_id = :m",
        m=vault.merchant,
    )
    assert (await vault.levels(pool_id))["available"] == 3

    assert await _codes(vault, pool_id, 2) == ["CODE-000001", "CODE-000004"]
    assert await _codes(vault, pool_id, 1) == ["CODE-000005"]

    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["void"], levels["sold"]) == (0, 3, 3)
    assert (await vault.reserve(pool_id)).status_code == 409
    assert await vault.conserved(pool_id)
