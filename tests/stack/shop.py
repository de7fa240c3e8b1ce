"""A shop as an outsider writes it: plain HTTP against the documented API, nothing of ours
inside.
"""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from nacl.public import Box, PrivateKey, PublicKey

from sealing import HEADER_BYTES

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 30.0


def fresh(prefix: str) -> str:
    """A name nobody used before."""
    return f"{prefix}-{secrets.token_hex(5)}"


@dataclass(slots=True)
class Product:
    sku: str
    pool_id: str
    codes: list[str]
    lot_id: str


@dataclass(slots=True)
class Shop:
    """`call` answers the raw response; the verbs assert success and answer the decoded body."""

    urls: dict[str, str]
    api_key: str
    channel_id: str
    http: httpx.AsyncClient

    async def call(
        self, method: str, service: str, path: str, *, key: str | None = None, **request: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.api_key}", **request.pop("headers", {})}
        return await self.http.request(
            method, self.urls[service] + path, headers=headers, **request
        )

    async def get(self, service: str, path: str, **request: Any) -> Any:
        answer = await self.call("GET", service, path, **request)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def post(self, service: str, path: str, body: Any, **request: Any) -> Any:
        answer = await self.call("POST", service, path, json=body, **request)
        assert answer.status_code < 300, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def stocked_product(
        self, codes: Sequence[str], *, price: int = 1990, unit_cost: int = 1200
    ) -> Product:
        """A pool with these codes in one lot, and a product that sells them."""
        pool = await self.post(
            "inventory-vault", "/v1/pools", {"name": fresh("pool"), "unit_kind": "code"}
        )
        lot_id = await self.stock(pool["id"], codes, unit_cost=unit_cost)
        sku = fresh("SKU")
        await self.post(
            "order",
            "/v1/products",
            {
                "sku": sku,
                "name": "Test key",
                "fulfillment": {"kind": "pool", "pool_id": pool["id"]},
                "price": {"amount": price, "currency": "CNY"},
            },
        )
        return Product(sku, pool["id"], list(codes), lot_id)

    async def stock(self, pool_id: str, codes: Sequence[str], *, unit_cost: int = 1200) -> str:
        """Imports the codes into a new lot and waits for its receipt; the lot's id."""
        answer = await self.call(
            "POST",
            "inventory-vault",
            f"/v1/pools/{pool_id}/lots",
            files={"file": ("codes.txt", "\n".join(codes).encode(), "text/plain")},
            data={"supplier": "ACME", "unit_cost": str(unit_cost), "currency": "CNY"},
        )
        assert answer.status_code == 202, answer.text
        import_id = answer.json()["import_id"]
        receipt = await self.until(
            "inventory-vault", f"/v1/imports/{import_id}", {"completed", "failed"}
        )
        assert receipt["status"] == "completed", receipt
        assert receipt["accepted"] == len(codes), receipt
        return str(receipt["lot_id"])

    def order_body(
        self, lines: Sequence[tuple[str, int]], *, ip: str | None = None, **extra: Any
    ) -> dict[str, Any]:
        customer = {"id": fresh("buyer"), "email": f"{fresh('b')}@example.com"}
        if ip is not None:
            customer["ip"] = ip
        return {
            "channel_id": self.channel_id,
            "reference": fresh("ref"),
            "customer": customer,
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
            **extra,
        }

    async def place(
        self, lines: Sequence[tuple[str, int]], *, ip: str | None = None, **extra: Any
    ) -> Any:
        return await self.post("order", "/v1/orders", self.order_body(lines, ip=ip, **extra))

    @staticmethod
    def payment_of(order: Any) -> dict[str, Any]:
        return {
            "provider": "shop",
            "provider_reference": f"pay-{order['id']}",
            "amount": order["total"],
        }

    async def pay(self, order: Any) -> Any:
        return await self.post(
            "order", f"/v1/orders/{order['id']}/payments", self.payment_of(order)
        )

    async def order(self, order_id: str) -> Any:
        return await self.get("order", f"/v1/orders/{order_id}")

    async def settled(self, order_id: str, *states: str) -> Any:
        """The order once it is in one of these states."""
        return await self.until("order", f"/v1/orders/{order_id}", set(states))

    async def until(
        self, service: str, path: str, states: set[str], *, seconds: float = PATIENCE_SECONDS
    ) -> Any:
        deadline = time.monotonic() + seconds
        found: Any = None
        while time.monotonic() < deadline:
            answer = await self.call("GET", service, path)
            if answer.status_code == 200:
                found = answer.json()
                if found["status"] in states:
                    return found
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"{path} did not become {states}; it is {found}")

    async def reveal(self, unit_id: str) -> dict[str, Any]:
        """What a buyer sees: a key pair of one's own, the box asked for, opened here."""
        mine = PrivateKey.generate()
        answer = await self.post(
            "inventory-vault",
            f"/v1/units/{unit_id}/reveal",
            {
                "recipient_public_key": base64.b64encode(bytes(mine.public_key)).decode(),
                "viewer": {
                    "kind": "buyer",
                    "id": "b-1",
                    "ip": "203.0.113.9",
                    "user_agent": "tests",
                },
                "reason": "test",
            },
        )
        return open_box(answer["box"], mine)

    async def levels(self, pool_id: str) -> dict[str, int]:
        pool = await self.get("inventory-vault", f"/v1/pools/{pool_id}")
        return dict(pool["levels"])

    async def trial_balance(self) -> Any:
        return await self.get("ledger", "/v1/trial-balance")


def open_box(box: dict[str, str], mine: PrivateKey) -> dict[str, Any]:
    """The fields inside a box, by nothing but NaCl and the documented layout."""
    sender = PublicKey(base64.b64decode(box["public_key"]))
    plain = Box(mine, sender).decrypt(
        base64.b64decode(box["ciphertext"]), base64.b64decode(box["nonce"])
    )
    unpadded = plain.rstrip(b"\0")
    assert unpadded[-1:] == b"\x80"  # ISO 7816-4
    return dict(json.loads(unpadded[HEADER_BYTES:-1]))


@asynccontextmanager
async def open_shop(demo: dict[str, Any]) -> AsyncIterator[Shop]:
    """A shop with the demo merchant's key, as demo.json describes it."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=20, limits=limits) as http:
        yield Shop(demo["base_urls"], demo["api_key"], demo["channel_id"], http)
