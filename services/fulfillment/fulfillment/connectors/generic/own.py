"""Our own small protocol: signed JSON over HTTP. See the service's README, "The generic supplier
protocol"."""

import time
from typing import TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError

from fulfillment.connector import (
    NOT_OFFERED,
    Access,
    Answer,
    Article,
    ArticlePage,
    Code,
    Done,
    Failed,
    Forged,
    NotFound,
    NotSent,
    Pushed,
    Report,
    Told,
    Unknown,
    Wanted,
)
from fulfillment.connectors.generic.wire import (
    ArticlesAnswer,
    BalanceAnswer,
    Cost,
    PurchaseAnswer,
    Status,
)
from fulfillment.exchange import fits_window
from fulfillment.outside import (
    ANSWER_BYTES_MAX,
    BAD_ANSWER,
    LISTING_BYTES_MAX,
    Heard,
    Outside,
)
from fulfillment.signatures import Digest, Material, Recipe, verifies
from fulfillment.signatures import sign as sign_by
from kit.money import Money

WINDOW_SECONDS = 300
_Found = TypeVar("_Found", bound=BaseModel)
SIGNED = Recipe("{ts}.{method}.{path}.{body}", Digest.HMAC_SHA256)


class OwnProtocol:
    """Speaks it for any account."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        body = orjson.dumps(
            {
                "reference": str(wanted.reference),
                "sku": wanted.sku,
                "account": wanted.account,
                "quantity": wanted.quantity,
                "cost_max": {
                    "amount": wanted.cost_max.amount_minor,
                    "currency": wanted.cost_max.currency,
                },
                "callback_url": access.callback_url,
            }
        )
        heard = await self._call(access, "POST", "/purchases", body)
        if not isinstance(heard, Heard):
            return heard
        answer = _read(heard, wanted.reference)
        return Unknown(BAD_ANSWER) if isinstance(answer, NotFound) else answer

    async def query(self, access: Access, reference: UUID) -> Report:
        heard = await self._call(access, "GET", f"/purchases/{reference}", b"")
        if not isinstance(heard, Heard):
            return heard
        answer = _read(heard, reference)
        if isinstance(answer, Failed) and heard.status >= 300:
            # The question was refused: that says nothing about the purchase.
            return Unknown(answer.code)
        return answer

    async def balance(self, access: Access) -> Money | Unknown | NotSent:
        found = await self._ask(access, "/balance", BalanceAnswer)
        return _money(found.balance) if isinstance(found, BalanceAnswer) else found

    async def articles(self, access: Access, cursor: str | None) -> ArticlePage | Unknown | NotSent:
        path = f"/articles?cursor={quote(cursor, safe='')}" if cursor else "/articles"
        found = await self._ask(access, path, ArticlesAnswer)
        if not isinstance(found, ArticlesAnswer):
            return found
        articles = (
            Article(each.sku, each.name, _money(each.cost), each.stock) for each in found.articles
        )
        return ArticlePage(tuple(articles), found.next_cursor)

    def hear(self, access: Access, pushed: Pushed) -> Told:
        stamp = pushed.headers.get("lockstock-timestamp", "")
        named = {"ts": stamp, "method": "POST", "path": urlsplit(access.callback_url).path}
        given = pushed.headers.get("lockstock-signature", "")
        secret = access.callback_secret or access.secret
        if not fits_window(stamp, WINDOW_SECONDS):
            raise Forged("too old, or no time")
        if not verifies(SIGNED, secret, Material(pushed.body, named=named), given):
            raise Forged("not its signature")
        try:
            answer = PurchaseAnswer.model_validate_json(pushed.body)
        except ValidationError:
            raise Forged("not to be read") from None
        report = _worded(answer)
        return Told(
            answer.reference,
            report,
            b'{"ok":true}',
            "application/json",
            is_success=isinstance(report, Done),
            supplier_reference=answer.supplier_reference,
        )

    async def _ask(
        self, access: Access, path: str, model: type[_Found]
    ) -> _Found | Unknown | NotSent:
        heard = await self._call(access, "GET", path, b"", LISTING_BYTES_MAX)
        if not isinstance(heard, Heard):
            return heard
        if heard.status == 404:
            return Unknown(NOT_OFFERED)
        try:
            return model.model_validate_json(heard.body) if heard.status == 200 else _failed(heard)
        except ValidationError:
            return Unknown(BAD_ANSWER)

    async def _call(
        self,
        access: Access,
        method: str,
        path: str,
        body: bytes,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Heard | NotSent | Unknown:
        now = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Lockstock-Account": access.account_id,
            "Lockstock-Timestamp": now,
            "Lockstock-Signature": sign(access.secret, now, method, path, body),
        }
        url = access.base_url.rstrip("/") + path
        return await self._outside.call(
            method,
            url,
            headers=headers,
            content=body,
            timeout=access.timeout,
            bytes_max=bytes_max,
        )


def sign(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over `timestamp.METHOD.path.body`; the path counts from the base URL."""
    named = {"ts": timestamp, "method": method, "path": path}
    return sign_by(SIGNED, secret, Material(body, named=named))


def _failed(heard: Heard) -> Unknown:
    return Unknown("supplier_error" if heard.status >= 500 else BAD_ANSWER)


def _read(heard: Heard, reference: UUID) -> Report:
    """Anything that is not plainly one of the protocol's answers is unknown."""
    if heard.status >= 500:
        return Unknown("supplier_error")
    try:
        answer = PurchaseAnswer.model_validate_json(heard.body)
    except ValidationError:
        return Unknown(BAD_ANSWER)
    if answer.reference != reference:
        return Unknown("wrong_reference")
    if heard.status == 404 and answer.code == "not_found":
        return NotFound()
    if answer.status is not Status.FAILED and heard.status >= 300:
        return Unknown(BAD_ANSWER)
    return _worded(answer)


def _worded(answer: PurchaseAnswer) -> Answer:
    match answer.status:
        case Status.SUCCEEDED if answer.cost is not None:
            codes = tuple(Code(each.fields, each.expires_at) for each in answer.codes)
            reference, receipt = answer.supplier_reference, answer.receipt
            return Done(_money(answer.cost), reference, receipt, codes)
        case Status.FAILED if answer.code:
            return Failed(answer.code)
        case Status.ACCEPTED | Status.PROCESSING:
            return Unknown("in_progress")
        case _:
            return Unknown(BAD_ANSWER)


def _money(cost: Cost) -> Money:
    return Money(cost.amount, cost.currency)
