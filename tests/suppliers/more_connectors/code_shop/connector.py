"""The connector to `tests/suppliers/code_shop.py`: a supplier of codes that tells its articles and
the account's balance. Found by its folder, as any other, once that is on the path."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fulfillment.connector import (
    Access,
    Answer,
    Article,
    ArticlePage,
    Code,
    Connector,
    Done,
    Failed,
    NotFound,
    NotSent,
    Report,
    Terms,
    Unknown,
    Wanted,
)
from fulfillment.outside import Heard, Outside
from kit.money import Money


class CodeShopConnector:
    name = "code_shop"
    needs_base_url = True
    terms = Terms(
        idempotent_by_ref=True,
        query_by_ref=True,
        definite_failures=frozenset({"sold_out", "cost_too_high", "refused"}),
        timeout=timedelta(seconds=1),
        visibility_delay=timedelta(seconds=0.2),
        unknown_ttl=timedelta(hours=1),
    )

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        body = {
            "reference": str(wanted.reference),
            "sku": wanted.sku,
            "account": wanted.account,
            "quantity": wanted.quantity,
            "cost_max": wanted.cost_max.amount_minor,
            "currency": wanted.cost_max.currency,
        }
        heard = await self._call(access, "POST", "/buy", json.dumps(body).encode())
        report = _read(heard)
        return Unknown("bad_answer") if isinstance(report, NotFound) else report

    async def query(self, access: Access, reference: UUID) -> Report:
        return _read(await self._call(access, "GET", f"/buy/{reference}"))

    async def balance(self, access: Access) -> Money | Unknown | NotSent:
        told = _document(await self._call(access, "GET", "/balance"))
        if isinstance(told, Unknown | NotSent):
            return told
        return Money(told["balance"], told["currency"])

    async def articles(self, access: Access, cursor: str | None) -> ArticlePage | Unknown | NotSent:
        path = "/articles" + (f"/{cursor}" if cursor else "")
        told = _document(await self._call(access, "GET", path))
        if isinstance(told, Unknown | NotSent):
            return told
        articles = tuple(
            Article(it["sku"], it["sku"], Money(it["cost"], it["currency"]), it["stock"])
            for it in told["articles"]
        )
        return ArticlePage(articles, told["next"])

    async def _call(
        self, access: Access, method: str, path: str, body: bytes = b""
    ) -> Heard | NotSent | Unknown:
        return await self._outside.call(
            method,
            access.base_url.rstrip("/") + path,
            headers={"Secret": access.secret},
            content=body,
            timeout=access.timeout,
        )


def _document(heard: Heard | NotSent | Unknown) -> dict[str, Any] | Unknown | NotSent:
    if not isinstance(heard, Heard):
        return heard
    try:
        told = json.loads(heard.body)
    except ValueError:
        return Unknown("bad_answer")
    return told if heard.status == 200 and isinstance(told, dict) else Unknown("bad_answer")


def _read(heard: Heard | NotSent | Unknown) -> Report:
    if isinstance(heard, Heard) and heard.status == 404:
        return NotFound()
    told = _document(heard)
    if isinstance(told, Unknown | NotSent):
        return told
    if told["status"] == "failed":
        return Failed(told["code"])
    if told["status"] != "done":
        return Unknown("in_progress")
    codes = tuple(Code(it["fields"], _moment(it["expires_at"])) for it in told["codes"])
    return Done(Money(told["cost"], told["currency"]), told["number"], "", codes)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def create(outside: Outside) -> Connector:
    return CodeShopConnector(outside)
