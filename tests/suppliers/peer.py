"""The part of a local supplier that every wire has in common: a ledger, and misdeeds to order.

A connector's own peer (`tests/suppliers/<connector>/peer.py`) reads the real wire and words the
answers; it is written from the vendor's documents, with nothing of ours inside.
"""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from tests.suppliers.simulator import Receive, Send, _body, _cut, listening

UNIT_COST = 4_850
GIANT_BYTES = 3_000_000
OTHER_REFERENCE = "00000000-0000-4000-8000-000000000000"


class Does(StrEnum):
    OK = "ok"
    REFUSES = "refuses"  # with `refusal`; None: a code that nobody lists
    TIMEOUT_DONE = "timeout_done"
    TIMEOUT_NOT_DONE = "timeout_not_done"
    ERROR_DONE = "error_done"
    ERROR_NOT_DONE = "error_not_done"
    RESET_DONE = "reset_done"
    BAD_JSON_DONE = "bad_json_done"
    ODD_JSON_DONE = "odd_json_done"
    HTML_DONE = "html_done"
    GIANT_DONE = "giant_done"
    EMPTY_DONE = "empty_done"
    SLOW = "slow"
    IN_PROGRESS = "in_progress"
    FAILS_LATER = "fails_later"
    FAILS = "fails"  # an order that is made and fails
    STRANGE_STATE = "strange_state"
    DEARER = "dearer"
    OTHER_CURRENCY = "other_currency"
    OTHER_REFERENCE = "other_reference"
    TOO_FEW_CODES = "too_few_codes"
    SAME_CODE_TWICE = "same_code_twice"
    EXPIRED_CODE = "expired_code"
    QUERY_REFUSED = "query_refused"  # bought; then questions are refused
    QUERY_GARBLED = "query_garbled"
    SEEN_LATE = "seen_late"  # bought; questions find nothing


NOT_DONE = frozenset({Does.TIMEOUT_NOT_DONE, Does.ERROR_NOT_DONE})
SILENT = NOT_DONE | {
    Does.TIMEOUT_DONE,
    Does.ERROR_DONE,
    Does.RESET_DONE,
    Does.BAD_JSON_DONE,
    Does.ODD_JSON_DONE,
    Does.HTML_DONE,
    Does.GIANT_DONE,
    Does.EMPTY_DONE,
}


_STATES = {
    Does.IN_PROGRESS: "processing",
    Does.FAILS_LATER: "processing",
    Does.FAILS: "failed",
    Does.STRANGE_STATE: "strange",
}


class Refused(Exception):
    """The order is refused; `code` is ours, None for one that nobody lists."""

    def __init__(self, code: str | None) -> None:
        super().__init__(code)
        self.code = code


class _Misdeed(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    content_type: str = "application/json"


def json_reply(document: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document, ensure_ascii=False).encode())


@dataclass(slots=True)
class Order:
    """One as the supplier knows it. `state`: processing, succeeded, failed, or strange."""

    number: int
    reference: str
    sku: str
    account: str
    quantity: int
    cost: int
    state: str
    codes: list[tuple[str, str]]
    expires: str = ""


@dataclass(slots=True)
class Peer(ABC):
    """`behave(...)` before a check; then every order is treated so."""

    # What this wire has words for.
    sells_codes: ClassVar[bool] = True
    tops_up: ClassVar[bool] = True
    many_at_once: ClassVar[bool] = True
    tells_currency: ClassVar[bool] = False
    tells_expiry: ClassVar[bool] = False
    echoes_reference: ClassVar[bool] = True
    is_idempotent: ClassVar[bool] = True
    tells_balance: ClassVar[bool] = True
    lists_articles: ClassVar[bool] = True
    calls_back: ClassVar[bool] = True
    callback_window_seconds: ClassVar[int | None] = 300
    refusals: ClassVar[frozenset[str]] = frozenset()
    """Those of our codes that this wire can say."""
    answers: ClassVar[bytes] = b""
    """What a callback is to be answered with."""

    account_id: ClassVar[str] = "shop-17"
    secret: ClassVar[str] = "peer-secret-0123456789abcdef0123"
    callback_secret: ClassVar[str] = ""
    base_path: ClassVar[str] = ""
    account: ClassVar[str] = "13800138000"
    top_up_sku: ClassVar[str] = "CM-50"
    code_sku: ClassVar[str] = "GIFT-50"
    currency: ClassVar[str] = "CNY"

    url: str = ""
    does: Does = Does.OK
    refusal: str | None = None
    unit_cost: int = UNIT_COST
    hang_seconds: float = 2.5
    slow_seconds: float = 0.2
    orders: dict[str, Order] = field(default_factory=dict)
    charges: list[str] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    unsigned: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """What the account must state for the connector."""
        return {}

    @property
    def base_url(self) -> str:
        return self.url + self.base_path

    def behave(self, does: Does, refusal: str | None = None) -> None:
        """As if nothing had been before, but for what is bought."""
        self.does, self.refusal, self.unit_cost = does, refusal, UNIT_COST
        self.posts.clear()
        self.questions.clear()
        self.charges.clear()
        self.orders.clear()

    @abstractmethod
    async def answer(self, request: Request) -> Reply:
        """Reads one call; uses `buy`, `look_up`; may let Refused pass."""

    @abstractmethod
    def refuse(self, request: Request, code: str | None) -> Reply:
        """How this wire says no."""

    def callback(self, order: Order, callback_url: str, at: float) -> tuple[dict[str, str], bytes]:
        """Signed headers and body of a callback of this moment."""
        raise NotImplementedError

    def buy(
        self, reference: str, sku: str, account: str, quantity: int, limit: int | None = None
    ) -> Order:
        """The order, new or known. Raises Refused."""
        self.posts.append(reference)
        known = self.orders.get(reference)
        if known is not None:
            if self.does is Does.REFUSES:
                raise Refused(self.refusal)
            return known
        if self.does is Does.REFUSES:
            raise Refused(self.refusal)
        if self.does not in NOT_DONE:
            cost = self.unit_cost * quantity
            if limit is not None and cost > limit:
                raise Refused("cost_too_high")
            known = self._take(reference, sku, account, quantity, cost)
        if known is None or self.does in SILENT:
            raise _Misdeed
        return known

    def look_up(self, reference: str) -> Order | None:
        """Of a question."""
        self.questions.append(reference)
        if self.does is Does.QUERY_REFUSED:
            raise Refused("not_authorized")
        if self.does is Does.QUERY_GARBLED:
            raise _Misdeed
        return None if self.does is Does.SEEN_LATE else self.orders.get(reference)

    def settle(self, reference: str, state: str) -> None:
        """What was in progress comes to its end."""
        order = self.orders[reference]
        order.state = state
        if state == "succeeded":
            self.charges.append(reference)

    def _take(self, reference: str, sku: str, account: str, quantity: int, cost: int) -> Order:
        number = len(self.orders) + 1_001
        dear = self.does is Does.DEARER
        order = Order(
            number, reference, sku, account, quantity, cost * 3 if dear else cost, "succeeded", []
        )
        if not account:
            order.codes = [(f"NO-{number}-{n}", f"PW-{number}-{n}") for n in range(quantity)]
        order.state = _STATES.get(self.does, "succeeded")
        if self.does is Does.TOO_FEW_CODES:
            order.codes.pop()
        elif self.does is Does.SAME_CODE_TWICE:
            order.codes[-1] = order.codes[0]
        elif self.does is Does.EXPIRED_CODE:
            order.expires = "2020-01-01 00:00:00"
        self.orders[reference] = order
        if order.state in ("succeeded", "strange"):
            self.charges.append(reference)
        return order

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        body = await _body(receive)
        request = Request(scope["method"], scope["path"], query, headers, body)
        try:
            reply = await self.answer(request)
        except Refused as no:
            reply = self.refuse(request, no.code)
        except _Misdeed:
            await self._misbehave(send)
            return
        if self.does is Does.SLOW:
            await asyncio.sleep(self.slow_seconds)
        await _send(send, reply)

    async def _misbehave(self, send: Send) -> None:
        match self.does:
            case Does.TIMEOUT_DONE | Does.TIMEOUT_NOT_DONE:
                await asyncio.sleep(self.hang_seconds)
                await _send(send, Reply(504, b""))
            case Does.ERROR_DONE | Does.ERROR_NOT_DONE:
                await _send(send, Reply(500, b'{"code":500,"message":"oops"}'))
            case Does.RESET_DONE:
                await _cut(send)
            case Does.ODD_JSON_DONE:
                await _send(send, Reply(200, b'["what", {"is": null}, 1e999, "\\ud800"]'))
            case Does.HTML_DONE:
                page = b"<html><body>Under maintenance: order failed</body></html>"
                await _send(send, Reply(200, page, "text/html"))
            case Does.GIANT_DONE:
                await _send(send, Reply(200, b'{"a":"' + b"x" * GIANT_BYTES + b'"}'))
            case Does.EMPTY_DONE:
                await _send(send, Reply(200, b""))
            case _:
                await _send(send, Reply(200, b'{"reference": "'))


@asynccontextmanager
async def running(peer: Peer) -> AsyncIterator[Peer]:
    async with listening(peer) as url:
        peer.url = url
        yield peer


def is_near(stamp: str, seconds: float) -> bool:
    return stamp.isdigit() and abs(time.time() - int(stamp)) <= seconds


async def _send(send: Send, reply: Reply) -> None:
    kind = reply.content_type.encode()
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [(b"content-type", kind)],
        }
    )
    await send({"type": "http.response.body", "body": reply.body})
