"""A supplier of codes, on a real socket: it sells under references, once each, keeps a ledger of
what it handed out for how much, tells its articles and a balance, and misbehaves to order."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fulfillment.connectors
from tests.suppliers.simulator import listening

MORE_CONNECTORS = str(Path(__file__).parent / "more_connectors")


def with_code_shop_connector() -> None:
    """Lets the service find the tests' connectors beside its own."""
    if MORE_CONNECTORS not in fulfillment.connectors.__path__:
        fulfillment.connectors.__path__.append(MORE_CONNECTORS)


@dataclass(slots=True)
class Listed:
    sku: str
    cost: int
    stock: int | None = None
    currency: str = "CNY"


@dataclass(slots=True)
class Sold:
    sku: str
    account: str
    codes: list[dict[str, Any]]
    cost: int


@dataclass(slots=True)
class CodeShop:
    """`mode` is how it behaves now: ok, refuse, sold_out, silent (sells, and does not answer), down
    (answers nothing, sells nothing), short (one code fewer than wanted), twice (one code two
    times), late (says no, and sells), html, no_codes, hidden (sold, but not known of), mute (sells
    nothing and answers no question).
    """

    prefix: str = field(default_factory=lambda: secrets.token_hex(4).upper())
    secret: str = "code-shop-secret"
    cost: int = 4500
    rebate: int = 0
    currency: str = "CNY"
    mode: str = "ok"
    balance: int = 10_000_000
    listed: list[Listed] = field(default_factory=list)
    list_mode: str = "ok"
    page_size: int = 100
    expires_at: str | None = None
    make: Callable[[int], dict[str, str]] | None = None
    url: str = ""
    sold: dict[str, Sold] = field(default_factory=dict)
    posts: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    made: int = 0

    def codes(self) -> list[str]:
        """Everything it ever handed out, in clear."""
        return [
            next(iter(code["fields"].values()))
            for sale in self.sold.values()
            for code in sale.codes
        ]

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        status, answer = await self._answer(scope["method"], scope["path"], body)
        await _send(send, status, answer)
        self.answered.set()

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if path == "/balance":
            told = {"balance": self.balance, "currency": self.currency}
            return 200, json.dumps(told).encode()
        if path.startswith("/articles"):
            return self._articles(path.removeprefix("/articles").strip("/"))
        if method == "POST":
            return await self._buy(json.loads(body))
        return self._query(path.rpartition("/")[2])

    async def _buy(self, wanted: dict[str, Any]) -> tuple[int, bytes]:
        reference = wanted["reference"]
        self.posts.append(reference)
        if reference in self.sold:
            return self._tell(reference)
        match self.mode:
            case "refuse" | "sold_out":
                return self._no(self.mode)
            case "html":
                return 200, b"<html>Maintenance</html>"
            case "down" | "mute":
                return 500, b"{}"
        if wanted["quantity"] * self.cost > wanted["cost_max"]:
            return self._no("cost_too_high")
        self._sell(wanted)
        if self.mode == "silent":
            await asyncio.sleep(2)
            return 504, b""
        if self.mode == "late":
            return self._no("refuse")
        return self._tell(reference)

    def _sell(self, wanted: dict[str, Any]) -> None:
        number = wanted["quantity"] - (self.mode == "short")
        codes = [] if self.mode == "no_codes" else [self._code() for _ in range(number)]
        if self.mode == "twice":
            codes[-1] = codes[0]
        self.sold[wanted["reference"]] = Sold(
            wanted["sku"],
            wanted["account"],
            codes,
            self.cost * wanted["quantity"] - self.rebate,
        )

    def _code(self) -> dict[str, Any]:
        self.made += 1
        text = f"{self.prefix}-{self.made:05}-CANARY"
        fields = self.make(self.made) if self.make else {"code": text}
        return {"fields": fields, "expires_at": self.expires_at}

    def _query(self, reference: str) -> tuple[int, bytes]:
        self.queries.append(reference)
        if self.mode == "mute":
            return 500, b"{}"
        if reference not in self.sold or self.mode == "hidden":
            return 404, b"{}"
        return self._tell(reference)

    def _tell(self, reference: str) -> tuple[int, bytes]:
        sale = self.sold[reference]
        answer = {
            "status": "done",
            "codes": sale.codes,
            "cost": sale.cost,
            "currency": self.currency,
            "number": f"CS-{reference[:8]}",
        }
        return 200, json.dumps(answer).encode()

    def _no(self, code: str) -> tuple[int, bytes]:
        code = "refused" if code == "refuse" else code
        return 200, json.dumps({"status": "failed", "code": code}).encode()

    def _articles(self, cursor: str) -> tuple[int, bytes]:
        match self.list_mode:
            case "html":
                return 200, b"<html>Maintenance</html>"
            case "empty":
                return 200, json.dumps({"articles": [], "next": None}).encode()
            case "endless":
                return 200, json.dumps({"articles": [], "next": "x"}).encode()
        begin = int(cursor or 0)
        page = self.listed[begin : begin + self.page_size]
        if self.list_mode == "half" and begin:
            return 500, b"{}"
        more = begin + self.page_size < len(self.listed)
        articles = [
            {
                "sku": it.sku,
                "cost": it.cost,
                "currency": it.currency,
                "stock": 0 if self.list_mode == "all_sold_out" else it.stock,
            }
            for it in page
        ]
        next_cursor = str(begin + self.page_size) if more else None
        return 200, json.dumps({"articles": articles, "next": next_cursor}).encode()


async def _send(send: Any, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def running_code_shop(**given: Any) -> AsyncIterator[CodeShop]:
    shop = CodeShop(**given)
    async with listening(shop) as url:
        shop.url = url
        yield shop
