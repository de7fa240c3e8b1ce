"""A bad code, all services together: reported, replaced, reported again, paid back; the books."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.stack.shop import Shop

SECONDS_MAX = 60.0
PRICE, COST, NEW_COST = 1990, 1200, 1300


def codes(count: int) -> list[str]:
    return [f"E2E{secrets.token_hex(6).upper()}" for _ in range(count)]


async def until(read: Callable[[], Awaitable[Any]], is_there: Callable[[Any], bool]) -> Any:
    """What is read as soon as it is as it should be."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        found = await read()
        if is_there(found):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def report(url: str, unit_id: str) -> str:
    """The buyer reports a unit on the page behind the link; the claim's id."""
    async with httpx.AsyncClient() as buyer:
        body = {"unit_id": unit_id, "reason": "used", "note": "it says used already"}
        answer = await buyer.post(f"{url}/claims", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def decided(shop: Shop, claim_id: str, decision: str, state: str) -> Any:
    path = f"/v1/claims/{claim_id}"
    await until(lambda: shop.get("fulfillment", path), lambda it: it["evidence"] is not None)
    await shop.post("fulfillment", f"{path}/{decision}", {"reason": "the supplier confirms it"})
    return await until(lambda: shop.get("fulfillment", path), lambda it: it["state"] == state)


async def balances(shop: Shop, order_id: str) -> dict[str, int]:
    """What all transactions of the order moved, by account."""
    found: dict[str, int] = {}
    page = await shop.get("ledger", f"/v1/transactions?order_id={order_id}&limit=100")
    for transaction in page["items"]:
        for posting in transaction["postings"]:
            sign = 1 if posting["side"] == "debit" else -1
            code = posting["account"].partition(":")[0]
            found[code] = found.get(code, 0) + sign * posting["amount"]["amount"]
    return {code: amount for code, amount in found.items() if amount}


async def test_a_bad_code_is_replaced_the_next_one_paid_back_and_the_books_are_right(
    shop: Shop,
) -> None:
    product = await shop.stocked_product(codes(1), price=PRICE, unit_cost=COST)
    new_lot = await shop.stock(product.pool_id, codes(1), unit_cost=NEW_COST)
    order = await shop.place([(product.sku, 1)])
    await shop.pay(order)
    done = await shop.settled(order["id"], "completed")
    [delivery] = done["deliveries"]
    [bad] = delivery["units"]

    reported = await report(delivery["url"], bad["unit_id"])
    first = await decided(shop, reported, "replace", "replaced")
    new = first["replacement"]
    assert new["lot_id"] == new_lot
    shown = await until(
        lambda: shop.order(order["id"]),
        lambda it: [unit["unit_id"] for unit in it["deliveries"][0]["units"]] == [new["unit_id"]],
    )
    assert shown["status"] == "completed"
    refused = await shop.call(
        "POST", "fulfillment", f"/v1/claims/{first['id']}/refund", json={"reason": "both"}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "claim_decided")

    second = await report(delivery["url"], new["unit_id"])
    await decided(shop, second, "refund", "refunded")
    await shop.settled(order["id"], "refunded")

    refunds = (await shop.get("order", f"/v1/orders/{order['id']}/refunds"))["items"]
    assert [(it["amount"]["amount"], it["request_id"], it["status"]) for it in refunds] == [
        (PRICE, second, "done")
    ]
    timeline = await shop.get("order", f"/v1/orders/{order['id']}/timeline?limit=200")
    kinds = [entry["kind"] for entry in timeline["items"]]
    assert [kind for kind in kinds if kind.startswith("claim")] == [
        "claim_opened",
        "claim_replaced",
        "claim_opened",
        "claim_refunded",
    ]
    assert product.codes[0] not in str(timeline)
    owed = (await shop.get("fulfillment", f"/v1/supplier-clawbacks?lot_id={product.lot_id}"))[
        "items"
    ]
    assert [(it["supplier"], it["amount"]["amount"]) for it in owed] == [("ACME", COST)]
    await shop.post(
        "fulfillment", f"/v1/supplier-clawbacks/{first['id']}/accept", {"reason": "credit note"}
    )
    await shop.post(
        "fulfillment", f"/v1/supplier-clawbacks/{second}/refuse", {"reason": "too late"}
    )
    # What came went back; both units are gone, and of the first its supplier pays the cost.
    books = {
        "revenue": -PRICE,
        "refunds": PRICE,
        "cost-of-goods": NEW_COST,
        "inventory": -COST - NEW_COST,
        "supplier-payable": COST,
    }
    await until(lambda: balances(shop, order["id"]), lambda it: it == books)
    assert (await shop.trial_balance())["balanced"] is True
    levels = await shop.levels(product.pool_id)
    assert (levels["available"], levels["reserved"]) == (0, 0)
    for lot in (product.lot_id, new_lot):
        check = await shop.get("inventory-vault", f"/v1/lots/{lot}/conservation")
        assert check["holds"] is True
    for unit in (bad["unit_id"], new["unit_id"]):
        read = await shop.get("inventory-vault", f"/v1/units/{unit}")
        assert read["revoked_at"] is not None
