"""A supplier that speaks the generic protocol over HTTP and misbehaves to order.

It is written from the README's words, with nothing of ours inside, and keeps a ledger of what it
charged: what we believe is held against that.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import uvicorn

from onebox.ports import free_ports

Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]
COST = 4850


class Behaviour(StrEnum):
    OK = "ok"
    REFUSED = "refused"
    TIMEOUT_DONE = "timeout_done"
    TIMEOUT_NOT_DONE = "timeout_not_done"
    ERROR_DONE = "error_done"
    ERROR_NOT_DONE = "error_not_done"
    RESET_MID_BODY = "reset_mid_body"
    BAD_JSON = "bad_json"
    HTML_WITH_200 = "html_with_200"
    TOO_DEAR = "too_dear"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_REFERENCE = "wrong_reference"
    SLOW = "slow"
    SUCCESS_AFTER_REFUSED = "success_after_refused"
    CHARGES_EACH_TIME = "charges_each_time"
    SEEN_LATE = "seen_late"  # done, but asked too early it says "not found"
    PROGRESS_THEN_DONE = "progress_then_done"
    PROGRESS_THEN_REFUSED = "progress_then_refused"
    NEVER_KNOWN = "never_known"
    UNLISTED_CODE = "unlisted_code"
    GIANT = "giant"


DONE_SILENTLY = {
    Behaviour.TIMEOUT_DONE,
    Behaviour.ERROR_DONE,
    Behaviour.RESET_MID_BODY,
    Behaviour.BAD_JSON,
    Behaviour.HTML_WITH_200,
    Behaviour.WRONG_CURRENCY,
    Behaviour.WRONG_REFERENCE,
    Behaviour.SEEN_LATE,
    Behaviour.NEVER_KNOWN,
    Behaviour.GIANT,
}


@dataclass(slots=True)
class Known:
    """A reference as the simulator knows it."""

    reference: str
    account: str
    behaviour: Behaviour
    state: str
    since: float
    code: str = ""
    cost: int = COST


@dataclass(slots=True)
class Simulator:
    """`behave(account, behaviour)` before the order comes; other accounts do as `usual` says.

    `hang_seconds`: longer than the caller's patience. `settle_seconds`: how long "in progress"
    lasts, and how long a reference stays unseen where it is seen late.
    """

    secret: str = "simulator-secret"
    usual: Callable[[str], Behaviour] = lambda _: Behaviour.OK
    hang_seconds: float = 1.0
    settle_seconds: float = 0.6
    slow_seconds: float = 0.5
    currency: str = "CNY"
    url: str = ""
    known: dict[str, Known] = field(default_factory=dict)
    charges: list[tuple[str, str, int]] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    unsigned: int = 0
    purchase_came: asyncio.Event = field(default_factory=asyncio.Event)
    _behaviours: dict[str, Behaviour] = field(default_factory=dict)

    def behave(self, account: str, behaviour: Behaviour) -> None:
        self._behaviours[account] = behaviour

    def behaves(self, account: str) -> Behaviour:
        return self._behaviours.get(account) or self.usual(account)

    def charged(self, account: str) -> int:
        """How often this account's owner would have been topped up."""
        return sum(1 for _, charged, _ in self.charges if charged == account)

    @property
    def charged_twice(self) -> list[str]:
        counted = Counter(account for _, account, _ in self.charges)
        return [account for account, number in counted.items() if number > 1]

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = await _body(receive)
        path = scope["path"]
        if "/purchases" not in path:
            # Neither a balance nor a list of what is for sale.
            await _answer(send, 404, {"error": "nothing here"})
        elif not self._is_signed(scope, path, body):
            self.unsigned += 1
            await _answer(send, 401, {"reference": _reference(path, body), **_no("not_authorized")})
        elif scope["method"] == "POST":
            await self._purchase(json.loads(body), send)
        else:
            await self._query(path.rpartition("/")[2], send)

    def _is_signed(self, scope: dict[str, Any], path: str, body: bytes) -> bool:
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        stamp = headers.get("lockstock-timestamp", "0")
        text = f"{stamp}.{scope['method']}.{path}.".encode() + body
        expected = hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()
        fresh = abs(time.time() - int(stamp)) < 300
        return fresh and hmac.compare_digest(expected, headers.get("lockstock-signature", ""))

    async def _purchase(self, wanted: dict[str, Any], send: Send) -> None:
        reference, account = wanted["reference"], wanted["account"]
        self.posts.append(reference)
        self.purchase_came.set()
        behaviour = self.behaves(account)
        known = self.known.get(reference)
        if known is not None and behaviour is not Behaviour.CHARGES_EACH_TIME:
            await self._tell(known, send)
            return
        if behaviour not in (Behaviour.TIMEOUT_NOT_DONE, Behaviour.ERROR_NOT_DONE):
            known = self._take(reference, account, behaviour, wanted)
        await self._misbehave(behaviour, reference, known, send)

    def _take(
        self, reference: str, account: str, behaviour: Behaviour, wanted: dict[str, Any]
    ) -> Known:
        dear = wanted["cost_max"]["amount"] + 100
        cost = dear if behaviour is Behaviour.TOO_DEAR else COST
        known = Known(reference, account, behaviour, "succeeded", time.monotonic(), cost=cost)
        self.known[reference] = known
        if behaviour in (Behaviour.REFUSED, Behaviour.SUCCESS_AFTER_REFUSED):
            known.state, known.code = "failed", "account_unknown"
        elif behaviour is Behaviour.UNLISTED_CODE:
            known.state, known.code = "failed", "computer_says_no"
        elif behaviour in (Behaviour.PROGRESS_THEN_DONE, Behaviour.PROGRESS_THEN_REFUSED):
            known.state = "processing"
        if known.state == "succeeded":
            self._charge(known)
        return known

    def _charge(self, known: Known) -> None:
        self.charges.append((known.reference, known.account, known.cost))

    async def _misbehave(  # noqa: C901 - a list of misdeeds
        self, behaviour: Behaviour, reference: str, known: Known | None, send: Send
    ) -> None:
        match behaviour:
            case Behaviour.TIMEOUT_DONE | Behaviour.TIMEOUT_NOT_DONE | Behaviour.NEVER_KNOWN:
                await asyncio.sleep(self.hang_seconds)
                await _answer(send, 504, {})
            case Behaviour.ERROR_DONE | Behaviour.ERROR_NOT_DONE | Behaviour.SEEN_LATE:
                await _answer(send, 500, {"error": "oops"})
            case Behaviour.RESET_MID_BODY:
                await _cut(send)
            case Behaviour.BAD_JSON:
                await _raw(send, 200, b'{"reference": "')
            case Behaviour.HTML_WITH_200:
                await _raw(send, 200, b"<html><body>Maintenance</body></html>")
            case Behaviour.GIANT:
                await _raw(send, 200, b"[" + b"0," * 200_000 + b"0]")
            case Behaviour.WRONG_REFERENCE:
                done = {"cost": {"amount": COST, "currency": self.currency}}
                other = "00000000-0000-4000-8000-000000000000"
                await _answer(send, 200, {"reference": other, "status": "succeeded", **done})
            case Behaviour.SLOW:
                await asyncio.sleep(self.slow_seconds)
                await self._tell(known, send)
            case _:
                await self._tell(known, send)

    async def _query(self, reference: str, send: Send) -> None:
        self.queries.append(reference)
        known = self.known.get(reference)
        if known is not None and known.behaviour is Behaviour.NEVER_KNOWN:
            await _answer(send, 500, {"error": "oops"})
            return
        young = known is not None and time.monotonic() - known.since < self.settle_seconds
        if known is None or (young and known.behaviour is Behaviour.SEEN_LATE):
            await _answer(send, 404, {"reference": reference, **_no("not_found")})
            return
        if known.behaviour is Behaviour.SUCCESS_AFTER_REFUSED and known.state == "failed":
            known.state, known.code = "succeeded", ""
            self._charge(known)
        await self._tell(known, send)

    async def _tell(self, known: Known | None, send: Send) -> None:
        assert known is not None
        if known.state == "processing" and (time.monotonic() - known.since >= self.settle_seconds):
            if known.behaviour is Behaviour.PROGRESS_THEN_DONE:
                known.state = "succeeded"
                self._charge(known)
            else:
                known.state, known.code = "failed", "account_unknown"
        answer: dict[str, Any] = {"reference": known.reference, "status": known.state}
        if known.state == "succeeded":
            wrong = known.behaviour is Behaviour.WRONG_CURRENCY
            currency = "XTS" if wrong else self.currency
            answer["cost"] = {"amount": known.cost, "currency": currency}
            answer["supplier_reference"] = f"SIM-{known.reference[:8]}"
        if known.code:
            answer["code"] = known.code
        await _answer(send, 200, answer)


@asynccontextmanager
async def listening(app: Any, port: int | None = None) -> AsyncIterator[str]:
    """The app behind a real socket of this machine; its address."""
    port = port or free_ports(1)[0]
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]  # not ours
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, not an event
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


@asynccontextmanager
async def running_simulator(**given: Any) -> AsyncIterator[Simulator]:
    simulator = Simulator(**given)
    async with listening(simulator) as url:
        simulator.url = url
        yield simulator


def _no(code: str) -> dict[str, str]:
    return {"status": "failed", "code": code}


def _reference(path: str, body: bytes) -> str:
    return str(json.loads(body)["reference"]) if body else path.rpartition("/")[2]


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message: dict[str, Any] = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _answer(send: Send, status: int, document: dict[str, Any]) -> None:
    await _raw(send, status, json.dumps(document).encode())


async def _raw(send: Send, status: int, body: bytes) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json")],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _cut(send: Send) -> None:
    """Half an answer, then the connection ends: uvicorn closes it when the app ends early."""
    headers = [(b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"reference"', "more_body": True})
