"""The client, both ways, and its examples against the running set, as a shop uses them."""

import ast
import asyncio
import base64
import csv
import hashlib
import hmac
import inspect
import io
import json
import os
import re
import sys
import time
from pathlib import Path
from types import CodeType
from typing import Any

import httpx
import pytest

from lockstock_client import (
    Config,
    Lockstock,
    OrderNotCancellable,
    OutOfStock,
    Recipient,
    ReferenceTaken,
    SyncLockstock,
)
from onebox.ports import free_ports
from onebox.supervisor import Onebox
from tests.client.both import Awaited
from tests.stack.shop import Product, Shop, fresh

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "shop"
README = ROOT / "libs" / "client" / "README.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECONDS_MAX = 60


@pytest.fixture
def demo_file(box: Onebox, tmp_path: Path) -> Path:
    path = tmp_path / "demo.json"
    path.write_text(json.dumps(box.demo))
    return path


@pytest.fixture
async def product(shop: Shop) -> Product:
    return await shop.stocked_product([fresh("CODE") for _ in range(8)])


@pytest.fixture(params=["async", "sync"])
async def client(request: pytest.FixtureRequest, demo_file: Path):
    config = Config.from_demo_file(demo_file)
    kind = Lockstock if request.param == "async" else SyncLockstock
    made: Any = kind.from_config(config)
    async with made if request.param == "async" else Awaited(made) as connected:
        yield connected


async def place(client, product: Product, shop: Shop, **given):
    values = {
        "customer": {"id": fresh("buyer"), "email": f"{fresh('b')}@example.com"},
        "lines": [{"sku": product.sku, "quantity": 1}],
        "reference": fresh("ref"),
        **given,
    }
    return await client.orders.place(shop.channel_id, **values)


async def pay(client, order) -> None:
    await client.payments.tell(
        order["id"],
        provider="demo",
        provider_reference=f"pay-{order['id']}",
        amount=order["total"],
    )


async def test_a_sale_from_order_to_opened_box(client, shop: Shop, product: Product):
    recipient = Recipient.new()
    order = await place(
        client,
        product,
        shop,
        recipient_public_key=recipient.public_key,
        lines=[{"sku": product.sku, "quantity": 2}],
    )
    await pay(client, order)

    order = await client.orders.until(order["id"])

    assert order["status"] == "completed"
    opened = [
        recipient.open(unit["box"], unit_id=unit["unit_id"]).disclose()["code"]
        async for delivery in client.deliveries.of_order(order["id"])
        for unit in delivery["units"]
    ]
    assert len(opened) == 2
    assert set(opened) <= set(product.codes)
    kinds = [entry["kind"] async for entry in client.orders.entries(order["id"])]
    assert kinds[0] == "priced"
    assert kinds[-1] == "completed"


async def test_a_prepaid_order_placed_again_is_the_same_order(client, shop: Shop, product: Product):
    reference, price = fresh("market"), {"amount": 1990, "currency": "CNY"}
    paid = {"provider": "market", "provider_reference": fresh("pay"), "amount": price}
    customer = {"id": fresh("buyer")}
    first = await place(
        client, product, shop, reference=reference, paid=paid, customer=customer, key=reference
    )
    second = await place(
        client, product, shop, reference=reference, paid=paid, customer=customer, key=reference
    )
    with pytest.raises(ReferenceTaken) as taken:
        await place(client, product, shop, reference=reference)

    assert first["id"] == second["id"] == taken.value.order_id
    assert (await client.orders.until(first["id"]))["status"] == "completed"


async def test_what_cannot_be_is_an_exception_by_its_code(client, shop: Shop, product: Product):
    with pytest.raises(OutOfStock) as short:
        await place(client, product, shop, lines=[{"sku": product.sku, "quantity": 100}])
    order = await place(client, product, shop)
    await pay(client, order)
    with pytest.raises(OrderNotCancellable):
        await client.orders.cancel(order["id"], "changed mind")

    assert short.value.short_lines[0]["available"] == len(product.codes)


async def test_orders_are_found_by_contact_and_taken_out(client, shop: Shop, product: Product):
    email = f"{fresh('found')}@example.com"
    order = await place(client, product, shop, customer={"id": "b", "email": email})
    cancelled = await client.orders.cancel(order["id"], "changed mind")

    found = [each["id"] async for each in client.orders.search(email=email.upper())]
    pieces = [piece async for piece in client.orders.export(email=email)]
    exports = [export async for export in client.orders.exports()]

    assert cancelled["status"] == "cancelled"
    assert found == [order["id"]]
    [row] = csv.DictReader(io.StringIO(b"".join(pieces).decode()))
    assert (row["order_id"], row["status"], row["sku"]) == (order["id"], "cancelled", product.sku)
    assert exports[0]["rows"] == 1


async def test_a_buyer_waits_for_stock_and_is_told(client, shop: Shop):
    product = await shop.stocked_product([fresh("CODE")])
    order = await place(client, product, shop)
    asked = await _sold_out(client, product)

    await client.orders.cancel(order["id"], "changed mind")
    await shop.stock(product.pool_id, [fresh("CODE")])
    due = await _listed(client, asked["id"])

    assert due["email"] == "waiting@example.com"
    sent = await client.restock_requests.mark_sent(asked["id"])
    assert (sent["status"], sent["email"]) == ("sent", None)


async def _sold_out(client, product: Product):
    """Once the order service has heard that the last unit is held."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            try:
                return await client.restock_requests.add(
                    product.sku, fresh("buyer"), email="waiting@example.com"
                )
            except Exception as error:
                assert getattr(error, "code", "") == "still_in_stock"  # noqa: PT017 - waited out
                await asyncio.sleep(0.1)


async def _listed(client, request_id: str):
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            async for each in client.restock_requests.all():
                if each["id"] == request_id:
                    return each
            await asyncio.sleep(0.1)


async def run(example: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / example), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(SECONDS_MAX):
        output, _ = await process.communicate()
    assert await process.wait() == 0, output.decode()
    return output.decode()


async def test_the_example_that_buys_a_key(demo_file: Path, product: Product):
    output = await run("buy_a_key.py", "--sku", product.sku, "--demo-file", str(demo_file))

    assert "price:" in output
    assert "order: completed" in output
    assert "opened: " in output
    assert [code for code in product.codes if code in output] == []


async def test_the_example_of_a_marketplace_run_twice(demo_file: Path, product: Product):
    arguments = ("--sku", product.sku, "--number", fresh("n"), "--demo-file", str(demo_file))

    first = await run("marketplace_order.py", *arguments)
    second = await run("marketplace_order.py", *arguments)

    assert "completed" in first
    assert second == first, "the same order and the same story"


async def test_the_example_that_receives_webhooks():
    [port] = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / "webhook_receiver.py"), "--port", str(port),
        env={**os.environ, "LOCKSTOCK_WEBHOOK_SECRET": SECRET},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            statuses = [await _sent(http, each) for each in ("m-1", "m-1", "m-2")]
            forged = await _sent(http, "m-3", secret=SECRET[:-4] + "AAAA")
    finally:
        process.terminate()
        output, _ = await process.communicate()

    assert statuses == [204, 204, 204]
    assert forged == 400
    assert output.decode() == "order.paid o-1\norder.paid o-1\n", "each webhook once"


async def _sent(http: httpx.AsyncClient, message_id: str, secret: str = SECRET) -> int:
    event = {"type": "order.paid", "timestamp": "2026-11-27T10:00:00Z", "data": {"order_id": "o-1"}}
    body, at = json.dumps(event).encode(), str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(signed).decode()
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": signature,
    }
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            try:
                return (await http.post("/", content=body, headers=headers)).status_code
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


async def test_every_snippet_of_the_readme_runs_as_printed(
    box: Onebox, shop: Shop, product: Product, tmp_path: Path, monkeypatch
):
    (tmp_path / "keys.txt").write_text("\n".join(fresh("KEY") for _ in range(3)))
    monkeypatch.chdir(tmp_path)
    known = {
        "api_key": box.demo["api_key"],
        "base_urls": box.demo["base_urls"],
        "channel_id": box.demo["channel_id"],
        "pool_id": product.pool_id,
        "secret": SECRET,
    }
    async with Lockstock(known["api_key"], known["base_urls"]) as opened:
        for number, snippet in enumerate(_snippets(product)):
            names = {**known, "shop": opened, "__name__": f"snippet_{number}"}
            await _run(compile_top_level(snippet, f"README.md, snippet {number}"), names)


def _snippets(product: Product) -> list[str]:
    """With the product there is in place of the printed one, and an order number of its own."""
    text = README.read_text(encoding="utf-8")
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(found) >= 6
    return [
        re.sub(r"shop-10001|pay-1\b", lambda it: fresh(it[0]), each).replace(
            "GAME-100", product.sku
        )
        for each in found
    ]


def compile_top_level(source: str, name: str) -> CodeType:
    code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, CodeType)
    return code


async def _run(code: CodeType, names: dict[str, Any]) -> None:
    result = eval(code, names)  # noqa: S307 - our own README
    if inspect.iscoroutine(result):
        await result
