"""An own voucher, all services together: made, sold, used, taken back, run out; the books."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from onebox.environment import environment
from onebox.services import service_named
from onebox.supervisor import Onebox
from tests.stack.shop import Shop, fresh

SECONDS_MAX = 60.0
FACE, PRICE = 1_000, 900
BOOKS = ("deferred-revenue", "revenue", "discounts:voucher", "breakage")


async def test_a_voucher_is_deferred_then_earned_as_it_is_used_and_the_rest_kept_at_its_end(
    shop: Shop, box: Onebox
) -> None:
    sku, lot_id = await _voucher_product(shop)
    order = await shop.place([(sku, 1)])
    await shop.pay(order)
    done = await shop.settled(order["id"], "completed")
    [unit] = done["deliveries"][0]["units"]
    code = (await shop.reveal(unit["unit_id"]))["code"]
    await moved(
        shop, order["id"], lot_id, {"deferred-revenue": -FACE, "discounts:voucher": FACE - PRICE}
    )

    kept = await _redeem(shop, code, 400)
    for amount in (100, 200):
        used = await _redeem(shop, code, amount)
        if amount == 100:
            await _take_back(shop, used)
    await moved(
        shop,
        order["id"],
        lot_id,
        {"deferred-revenue": -400, "revenue": -600, "discounts:voucher": 100},
    )

    await _let_expire(box, lot_id)
    late = await shop.call("POST", "inventory-vault", "/v1/redemptions", json=_wish(code, 1))
    assert (late.status_code, late.json()["code"]) == (409, "voucher_expired")
    # Taken back after the end: neither owed again nor earned by use.
    await _take_back(shop, kept)

    await moved(
        shop, order["id"], lot_id, {"revenue": -200, "discounts:voucher": 100, "breakage": -800}
    )
    assert (await shop.trial_balance())["balanced"] is True


async def _voucher_product(shop: Shop) -> tuple[str, str]:
    """(SKU, lot of its only voucher)."""
    pool = await shop.post(
        "inventory-vault", "/v1/pools", {"name": fresh("pool"), "unit_kind": "voucher"}
    )
    sku = fresh("SKU")
    product = {
        "sku": sku,
        "name": "Gift voucher",
        "fulfillment": {"kind": "pool", "pool_id": pool["id"]},
        "price": {"amount": PRICE, "currency": "CNY"},
    }
    await shop.post("order", "/v1/products", product)
    wanted = {
        "quantity": 1,
        "face_value": {"amount": FACE, "currency": "CNY"},
        "expires_at": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    }
    begun = await shop.post("inventory-vault", f"/v1/pools/{pool['id']}/vouchers", wanted)
    path = f"/v1/imports/{begun['import_id']}"
    receipt = await shop.until("inventory-vault", path, {"completed", "failed"})
    assert receipt["accepted"] == 1, receipt
    return sku, str(begun["lot_id"])


async def _let_expire(box: Onebox, lot_id: str) -> None:
    """A month passes for the vouchers of a lot."""
    url = environment(service_named("inventory-vault"), box.wiring)["INVENTORY_VAULT_DATABASE_URL"]
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for table, key in (("unit", "lot_id"), ("lot", "id")):
            await connection.execute(
                f"UPDATE {table} SET expires_at = now() - interval '1 minute' "  # noqa: S608 - named above
                f"WHERE {key} = $1",
                UUID(lot_id),
            )
    finally:
        await connection.close()


def _wish(code: str, amount: int) -> dict[str, Any]:
    money = {"amount": amount, "currency": "CNY"}
    return {"code": code, "amount": money, "merchant_reference": fresh("use")}


async def _redeem(shop: Shop, code: str, amount: int) -> str:
    done = await shop.post("inventory-vault", "/v1/redemptions", _wish(code, amount))
    return str(done["id"])


async def _take_back(shop: Shop, redemption_id: str) -> None:
    path = f"/v1/redemptions/{redemption_id}/rollback"
    await shop.post("inventory-vault", path, {"reason": "a mistake at the till"})


async def moved(shop: Shop, order_id: str, lot_id: str, wanted: dict[str, int]) -> None:
    """Waits until order and voucher have moved just this, debits less credits, all of it."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        found = dict.fromkeys(BOOKS, 0)
        for which in (f"order_id={order_id}", f"order_id=none&lot_id={lot_id}"):
            page = await shop.get("ledger", f"/v1/postings?{which}&limit=100")
            for posting in page["items"]:
                if posting["account"] in BOOKS:
                    found[posting["account"]] += posting["amount"]
        if {code: it for code, it in found.items() if it} == wanted:
            return
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
