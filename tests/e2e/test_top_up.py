"""The brief's exam: one order for a membership card key and a phone top-up, through every service.

The supplier is the test's own: it speaks the generic protocol over HTTP, and its ledger is what the
system's word is held against.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.test_purchase import codes
from tests.stack.shop import Product, Shop, fresh
from tests.suppliers.simulator import COST, Behaviour, Simulator, running_simulator

pytestmark = pytest.mark.e2e

REST_SECONDS = 2.0
"""Several times as long as the ledger lets events wait."""
KEY_PRICE, KEY_COST = 1990, 1200
TOP_UP_PRICE, COST_MAX = 5000, 4900


Books = Counter[str]
"""What each account holds, and each kind of account."""


@dataclass(slots=True)
class Mixed:
    """A shop that sells a membership card key and a phone top-up, and a buyer's phone."""

    shop: Shop
    simulator: Simulator
    key: Product
    top_up_sku: str
    account: str
    books_before: Books

    async def buy(self) -> Any:
        """The order, paid."""
        return await self.buy_lines({"sku": self.key.sku}, self.top_up)

    @property
    def top_up(self) -> dict[str, Any]:
        return {"sku": self.top_up_sku, "inputs": {"phone": self.account}}

    async def buy_lines(self, *lines: Mapping[str, Any]) -> Any:
        body = self.shop.order_body([])
        body["lines"] = [{"quantity": 1, **line} for line in lines]
        order = await self.shop.post("order", "/v1/orders", body)
        await self.shop.pay(order)
        return order


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running_simulator(settle_seconds=3.0, hang_seconds=2.0) as simulator:
        yield simulator


@pytest.fixture
async def mixed(shop: Shop, simulator: Simulator) -> Mixed:
    key = await shop.stocked_product(codes(2), price=KEY_PRICE, unit_cost=KEY_COST)
    supplier = await make_supplier(shop, simulator)
    sku = await make_top_up_product(shop, supplier)
    account = f"139{secrets.randbelow(10**8):08}"
    return Mixed(shop, simulator, key, sku, account, await books_at_rest(shop))


async def make_supplier(shop: Shop, simulator: Simulator) -> str:
    name = fresh("sim")
    body = {
        "name": name,
        "connector": "generic",
        "base_url": simulator.url,
        "account_id": "shop-17",
        "secret": simulator.secret,
        "timeout_seconds": 1,
        "visibility_delay_seconds": 1,
    }
    await shop.post("fulfillment", "/v1/suppliers", body)
    return name


async def make_top_up_product(shop: Shop, *suppliers: str) -> str:
    sku = fresh("PHONE")
    offers = [
        {
            "supplier": supplier,
            "supplier_sku": "CM-50",
            "cost_max": {"amount": COST_MAX, "currency": "CNY"},
        }
        for supplier in suppliers
    ]
    body = {
        "sku": sku,
        "name": "Phone 50",
        "fulfillment": {"kind": "top_up", "account_input": "phone", "offers": offers},
        "price": {"amount": TOP_UP_PRICE, "currency": "CNY"},
    }
    await shop.post("order", "/v1/products", body)
    return sku


async def test_a_top_up_that_definitely_fails_is_refunded_and_the_key_delivered(mixed: Mixed):
    mixed.simulator.behave(mixed.account, Behaviour.REFUSED)

    order = await mixed.buy()
    done = await mixed.shop.settled(order["id"], "partially_completed")

    await _key_is_the_buyers(mixed, done)
    # Topped up never, refunded once: the supplier's ledger and the order agree.
    assert mixed.simulator.charged(mixed.account) == 0
    states = {line["sku"]: line["status"] for line in done["lines"]}
    assert states == {mixed.key.sku: "delivered", mixed.top_up_sku: "refunded"}
    # The books: the key's price earned, its cost spent, the top-up's price back, nothing else.
    await _books_moved(mixed, income=KEY_PRICE, expense=KEY_COST)
    # The timeline explains it.
    told = await timeline_of(mixed.shop, order["id"])
    assert told["line_failed"]["reason"] == "account_unknown"
    assert [no["code"] for no in told["line_failed"]["refusals"]] == ["account_unknown"]
    assert told["line_refunded"]["amount"] == TOP_UP_PRICE
    assert "partially_completed" in told
    # The buyer is told.
    await _page_says(mixed.shop, done, "Your money was returned")


@pytest.mark.timeout(150)
async def test_a_top_up_unknown_for_a_while_is_told_so_and_then_done(mixed: Mixed):
    mixed.simulator.behave(mixed.account, Behaviour.PROGRESS_THEN_DONE)

    order = await mixed.buy()
    await _line_becomes(mixed.shop, order["id"], mixed.top_up_sku, "unknown")
    waiting = await _line_becomes(mixed.shop, order["id"], mixed.key.sku, "delivered")

    # Meanwhile: the key is the buyer's, no money moves, the page says what is going on.
    assert waiting["status"] == "fulfilling"
    await _page_says(mixed.shop, waiting, "has not confirmed your top-up yet")
    done = await mixed.shop.settled(order["id"], "completed")

    await _key_is_the_buyers(mixed, done)
    assert mixed.simulator.charged(mixed.account) == 1
    assert len(mixed.simulator.posts) == 1
    await _books_moved(mixed, income=KEY_PRICE + TOP_UP_PRICE, expense=KEY_COST + COST)
    told = await timeline_of(mixed.shop, order["id"])
    assert told["line_unknown"]["reason"] == "in_progress"
    assert "completed" in told
    await _page_says(mixed.shop, done, "Topped up")


@pytest.mark.timeout(150)
async def test_a_top_up_unknown_for_a_while_may_end_in_a_refund(mixed: Mixed):
    mixed.simulator.behave(mixed.account, Behaviour.PROGRESS_THEN_REFUSED)

    order = await mixed.buy()
    await _line_becomes(mixed.shop, order["id"], mixed.top_up_sku, "unknown")
    # Nothing is refunded while nobody knows.
    assert "refund_due" not in await timeline_of(mixed.shop, order["id"])
    done = await mixed.shop.settled(order["id"], "partially_completed")

    assert mixed.simulator.charged(mixed.account) == 0
    await _key_is_the_buyers(mixed, done)
    await _books_moved(mixed, income=KEY_PRICE, expense=KEY_COST)
    told = await timeline_of(mixed.shop, order["id"])
    assert {"line_unknown", "line_failed", "line_refunded"} <= set(told)
    await _page_says(mixed.shop, done, "Your money was returned")


async def test_a_top_up_alone_is_bought_and_owed_to_its_supplier(mixed: Mixed):
    order = await mixed.buy_lines(mixed.top_up)
    done = await mixed.shop.settled(order["id"], "completed")

    assert mixed.simulator.charged(mixed.account) == 1
    await _books_moved(mixed, income=TOP_UP_PRICE, expense=COST)
    [purchase] = (await mixed.shop.get("fulfillment", f"/v1/purchases?order_id={order['id']}"))[
        "items"
    ]
    assert (purchase["state"], purchase["cost"]["amount"]) == ("done", COST)
    told = await timeline_of(mixed.shop, order["id"])
    assert told["line_delivered"]["suppliers"] == [purchase["supplier"]]
    assert told["line_delivered"]["purchases"] == [purchase["id"]]
    balance = await mixed.shop.trial_balance()
    account = f"supplier-payable:{purchase['supplier']}"
    owed = [it for it in balance["items"] if it["account"] == account]
    assert [it["credit"] - it["debit"] for it in owed] == [COST]
    await _page_says(mixed.shop, done, f"SIM-{purchase['id'][:8]}")


async def test_a_partial_bundle_of_key_and_top_up_delivers_what_it_can(mixed: Mixed):
    mixed.simulator.behave(mixed.account, Behaviour.REFUSED)
    sku = fresh("PACK")
    parts = [{"sku": mixed.key.sku, "quantity": 1}, {"sku": mixed.top_up_sku, "quantity": 1}]
    body = {
        "sku": sku,
        "name": "Key and phone",
        "fulfillment": {"kind": "bundle", "policy": "partial", "components": parts},
        "price": {"amount": 6000, "currency": "CNY"},
    }
    await mixed.shop.post("order", "/v1/products", body)

    order = await mixed.buy_lines({"sku": sku, "inputs": {"phone": mixed.account}})
    done = await mixed.shop.settled(order["id"], "partially_completed")

    # Each part's share of the bundle's price: 6000 by 1990 and 5000.
    shares = {line["sku"]: line["total"]["amount"] for line in done["lines"]}
    assert shares[mixed.key.sku] + shares[mixed.top_up_sku] == 6000
    await _key_is_the_buyers(mixed, done)
    await _books_moved(mixed, income=shares[mixed.key.sku], expense=KEY_COST)
    assert (await timeline_of(mixed.shop, order["id"]))["line_refunded"]["amount"] == shares[
        mixed.top_up_sku
    ]


async def test_the_demo_supplier_refuses_as_the_tour_says(mixed: Mixed):
    name = fresh("demo")
    body = {"name": name, "connector": "demo", "secret": "not-needed"}
    await mixed.shop.post("fulfillment", "/v1/suppliers", body)
    mixed.top_up_sku, mixed.account = await make_top_up_product(mixed.shop, name), "13900000001"

    order = await mixed.buy()
    done = await mixed.shop.settled(order["id"], "partially_completed")

    await _key_is_the_buyers(mixed, done)
    await _page_says(mixed.shop, done, "Your money was returned")


async def _key_is_the_buyers(mixed: Mixed, order: Any) -> None:
    [unit] = [unit for delivery in order["deliveries"] for unit in delivery["units"]]
    assert (await mixed.shop.reveal(unit["unit_id"]))["code"] in mixed.key.codes


async def _line_becomes(shop: Shop, order_id: str, sku: str, status: str) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        order = await shop.order(order_id)
        if {line["sku"]: line["status"] for line in order["lines"]}[sku] == status:
            return order
        await asyncio.sleep(0.05)
    raise AssertionError(order)


async def timeline_of(shop: Shop, order_id: str) -> dict[str, Any]:
    """The details of each kind of entry; the last where there are several."""
    timeline = await shop.get("order", f"/v1/orders/{order_id}/timeline?limit=200")
    assert all(entry["summary"] for entry in timeline["items"])
    return {entry["kind"]: entry["details"] for entry in timeline["items"]}


async def _page_says(shop: Shop, order: Any, words: str) -> None:
    """What the buyer's browser gets, without a key; the news of a refund is on its way there."""
    [url] = {delivery["url"] for delivery in order["deliveries"] if delivery["url"]}
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        page = await shop.http.get(url, headers={"Accept-Language": "en"})
        assert page.status_code == 200
        if words in page.text:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(page.text)


async def books_of(shop: Shop) -> Books:
    """Debits less credits, by the kind of account and for the part before the colon of each."""
    balance = await shop.trial_balance()
    assert balance["balanced"] is True
    totals: Counter[str] = Counter()
    for account in balance["items"]:
        moved = account["debit"] - account["credit"]
        totals[account["kind"]] += moved
        totals[account["account"].partition(":")[0]] += moved
    return totals


async def books_at_rest(shop: Shop) -> Books:
    """The same, once they stand still: what other tests sold is posted later than it is told."""
    deadline, books, since = time.monotonic() + 60, await books_of(shop), time.monotonic()
    while time.monotonic() - since < REST_SECONDS:
        assert time.monotonic() < deadline, "the books do not come to rest"
        await asyncio.sleep(0.1)
        now = await books_of(shop)
        if now != books:
            books, since = now, time.monotonic()
    return books


async def _books_moved(mixed: Mixed, *, income: int, expense: int) -> None:
    await books_moved(mixed.shop, mixed.books_before, income=income, expense=expense)


async def books_moved(shop: Shop, before: Books, *, income: int, expense: int) -> None:
    """Balanced, and moved by exactly this: what the channel holds for us is what was earned, and no
    deposit and no credit of a buyer is left.
    """
    wanted = {
        "income": -income,
        "expense": expense,
        "channel-clearing": income,
        "customer-deposits": 0,
        "buyer-credits": 0,
    }
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        after = await books_of(shop)
        moved = {name: after[name] - before[name] for name in wanted}
        if moved == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(moved)
