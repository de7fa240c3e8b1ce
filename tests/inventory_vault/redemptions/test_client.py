"""The Python client's calls about vouchers, against the vault itself."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from lockstock_client import Conflict, Lockstock, NotFound
from tests.inventory_vault.tills import Till, money


@pytest.fixture
async def shop(app: Any, till: Till) -> AsyncIterator[Lockstock]:
    key = till.vault.client.headers["Authorization"].removeprefix("Bearer ")
    async with Lockstock(key, transport=httpx.ASGITransport(app=app)) as shop:
        yield shop


async def test_vouchers_are_generated_redeemed_and_rolled_back(shop: Lockstock, till: Till):
    pool = await shop.pools.create("gift vouchers", "voucher")
    receipt = await shop.vouchers.generate(
        pool["id"], 3, {"amount": 500, "currency": "CNY"}, prefix="VC", limits={"per_buyer": 1}
    )
    one, two, _ = [unit["unit_id"] for unit in await till.vault.sold(pool["id"], 3)]
    code = await till.code_of(one)

    done = await shop.redemptions.redeem(
        "till/1", code=code, amount={"amount": 200, "currency": "CNY"}, buyer_id="b", own_code=True
    )
    again = await shop.redemptions.redeem(
        "till/1", code=code, amount={"amount": 200, "currency": "CNY"}, buyer_id="b"
    )
    with pytest.raises(Conflict) as limited:
        await shop.redemptions.redeem("till/2", unit_id=two, buyer_id="b")
    with pytest.raises(NotFound):
        await shop.redemptions.redeem("till/3", code="NO-SUCH-CODE")

    assert (receipt["status"], receipt["accepted"]) == ("completed", 3)
    assert done == again
    assert done["balance"] == (await shop.redemptions.balance(one))["balance"] == money(300)
    assert limited.value.code == "voucher_limit_reached"
    back = await shop.redemptions.rollback(done["id"], "returned")
    assert back["status"] == (await shop.redemptions.get(done["id"]))["status"] == "rolled_back"
    assert [each["id"] async for each in shop.redemptions.all(unit_id=one)] == [done["id"]]


async def test_terms_of_imported_vouchers_are_set(shop: Lockstock, till: Till):
    pool_id = await till.vault.pool("voucher")
    receipt = await till.vault.add_lot(pool_id, 1, prefix="BOUGHT")

    await shop.vouchers.set_terms(receipt["lot_id"], {"amount": 900, "currency": "EUR"})
    [unit] = await till.vault.sold(pool_id)
    done = await shop.redemptions.redeem("r", code="BOUGHT-000001")

    assert (done["unit_id"], done["amount"]) == (unit["unit_id"], money(900, "EUR"))
