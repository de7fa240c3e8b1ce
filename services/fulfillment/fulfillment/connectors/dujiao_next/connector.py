"""A Dujiao-Next site as a supplier. An order cannot be looked up by our number, but the same number
again answers with the same order: so asking is sending again.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ValidationError

from fulfillment.connector import (
    Access,
    Answer,
    Article,
    ArticlePage,
    Code,
    Connector,
    Done,
    Failed,
    Forged,
    NotSent,
    Pushed,
    Report,
    Terms,
    Told,
    Unknown,
    Wanted,
)
from fulfillment.connectors.dujiao_next import wire
from fulfillment.connectors.dujiao_next.settings import Options, read_options
from fulfillment.connectors.dujiao_next.wire import OrderAnswer, Status
from fulfillment.decimals import to_money
from fulfillment.exchange import Deadline, NotReadable, compact_json, fits_window, read_json
from fulfillment.outside import ANSWER_BYTES_MAX, BAD_ANSWER, LISTING_BYTES_MAX, Heard, Outside
from fulfillment.signatures import REQUEST_LINES, Material, sign, verifies
from kit.money import Money

WINDOW_SECONDS = 60
PAGE_SIZE = 50
_Found = TypeVar("_Found", bound=BaseModel)
_RECEIVED = b'{"ok":true,"message":"received"}'


class DujiaoNextConnector:
    name = "dujiao_next"
    needs_base_url = True
    terms = Terms(
        idempotent_by_ref=True,
        query_by_ref=False,
        definite_failures=frozenset({*wire.REFUSALS.values(), wire.CANCELED}),
        timeout=timedelta(seconds=15),
        visibility_delay=timedelta(minutes=2),
        unknown_ttl=timedelta(hours=24),
    )

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def check(self, options: Mapping[str, Any]) -> None:
        read_options(options)

    def terms_for(self, _: Mapping[str, Any]) -> Terms:
        return self.terms

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        product_id, _, sku_id = wanted.sku.partition(":")
        if not (product_id.isdigit() and sku_id.isdigit()):
            return NotSent("sku_unknown", is_final=True)
        deadline = Deadline(access.timeout)
        no = await self._too_dear(access, wanted, product_id, int(sku_id), deadline)
        if no is not None:
            return no
        answer = await self._order(access, wanted, int(sku_id), deadline)
        if not isinstance(answer, OrderAnswer):
            return answer
        if answer.order_id is None or answer.downstream_order_no not in (
            None,
            str(wanted.reference),
        ):
            return Unknown("wrong_reference")
        match answer.status:
            case Status.CANCELED:
                return Failed(wire.REFUSALS.get(answer.error_code or "", wire.CANCELED))
            case Status.DELIVERED | Status.COMPLETED if answer.ok:
                return await self._delivered(access, wanted, answer.order_id, deadline)
            case status if answer.ok and status in wire.UNDER_WAY:
                return Unknown("in_progress")
            case _:
                return Unknown(BAD_ANSWER)

    async def query(self, _: Access, __: UUID) -> Report:
        return Unknown("cannot_be_asked")

    async def balance(self, access: Access) -> Money | Unknown | NotSent:
        found = await self._ask(access, "POST", "/ping", wire.PingAnswer)
        if not isinstance(found, wire.PingAnswer):
            return found
        try:
            return to_money(found.balance, found.currency)
        except ValueError:
            return Unknown(BAD_ANSWER)

    async def articles(self, access: Access, cursor: str | None) -> ArticlePage | Unknown | NotSent:
        """By `product:sku`. The site's currency is what its balance is in."""
        balance = await self.balance(access)
        if not isinstance(balance, Money):
            return balance
        page = int(cursor) if cursor and cursor.isdigit() else 1
        path = f"/products?page={page}&page_size={PAGE_SIZE}"
        found = await self._ask(access, "GET", path, wire.ProductsAnswer)
        if not isinstance(found, wire.ProductsAnswer):
            return found
        articles = [
            article
            for product in found.items
            if product.is_active
            for article in _articles(product, balance.currency)
        ]
        has_more = bool(found.items) and page * found.page_size < found.total
        return ArticlePage(tuple(articles), str(page + 1) if has_more else None)

    def hear(self, access: Access, pushed: Pushed) -> Told:
        stamp = pushed.headers.get("dujiao-next-timestamp", "")
        if not fits_window(stamp, WINDOW_SECONDS):
            raise Forged("too old, or no time")
        path = urlsplit(access.callback_url).path
        material = Material(pushed.body, named={"method": "POST", "path": path, "ts": stamp})
        given = pushed.headers.get("dujiao-next-signature", "")
        secret = access.callback_secret or access.secret
        if not verifies(REQUEST_LINES, secret, material, given):
            raise Forged("not its signature")
        try:
            told = wire.Callback.model_validate(read_json(pushed.body))
            reference = UUID(told.downstream_order_no)
        except (NotReadable, ValueError):
            raise Forged("not to be read") from None
        is_success = told.status in wire.OVER
        report = Failed(wire.CANCELED) if told.status == Status.CANCELED else Unknown("in_progress")
        return Told(
            reference,
            report,
            _RECEIVED,
            "application/json",
            is_success=is_success,
            supplier_reference=told.order_no,
        )

    async def _too_dear(
        self, access: Access, wanted: Wanted, product_id: str, sku_id: int, deadline: Deadline
    ) -> NotSent | None:
        """The site takes no limit: its price is asked for before. Whether there is enough it says
        itself, so that a repeat of an order that took the last one finds its order."""
        path = f"/products/{product_id}"
        found = await self._ask(access, "GET", path, wire.ProductAnswer, deadline)
        if not isinstance(found, wire.ProductAnswer):
            return found if isinstance(found, NotSent) else NotSent("price_not_told")
        if not found.ok and found.error_code in wire.REFUSALS:
            return NotSent(wire.REFUSALS[found.error_code], is_final=True)
        skus = found.product.skus if found.product else []
        sku = next((sku for sku in skus if sku.id == sku_id), None)
        if sku is None:
            return NotSent("sku_unknown" if found.ok else "price_not_told", is_final=found.ok)
        try:
            cost = to_money(sku.price_amount, wanted.cost_max.currency) * wanted.quantity
        except ValueError:
            return NotSent("price_not_told")
        if cost.amount_minor > wanted.cost_max.amount_minor:
            return NotSent("cost_too_high", is_final=True)
        return None

    async def _order(
        self, access: Access, wanted: Wanted, sku_id: int, deadline: Deadline
    ) -> OrderAnswer | Failed | Unknown | NotSent:
        body: dict[str, Any] = {
            "sku_id": sku_id,
            "quantity": wanted.quantity,
            "downstream_order_no": str(wanted.reference),
            "trace_id": str(wanted.reference),
            "callback_url": access.callback_url,
        }
        if wanted.account:
            field = read_options(access.options).account_field
            body["manual_form_data"] = {field: wanted.account}
        heard = await self._call(access, "POST", "/orders", body, deadline)
        answer = _read(heard, OrderAnswer)
        if not isinstance(answer, OrderAnswer) or answer.ok or answer.status is not None:
            return answer
        code = answer.error_code or ""
        if code in wire.REFUSALS and not wanted.is_repeat:
            return Failed(wire.REFUSALS[code])
        # The order of an earlier sending may be there all the same.
        return Unknown(f"said_{code}" if code else BAD_ANSWER)

    async def _delivered(
        self, access: Access, wanted: Wanted, order_id: int, deadline: Deadline
    ) -> Answer:
        """What was delivered is told with the order only."""
        heard = await self._call(access, "GET", f"/orders/{order_id}", None, deadline)
        order = _read(heard, OrderAnswer)
        if not isinstance(order, OrderAnswer):
            return Unknown("codes_missing")
        payload = order.fulfillment.payload if order.fulfillment else ""
        if not order.ok or order.order_id != order_id or order.status not in wire.OVER:
            return Unknown("codes_missing")
        try:
            cost = to_money(order.amount, order.currency or "")
        except ValueError:
            return Unknown(BAD_ANSWER)
        if wanted.account:
            return Done(cost, order.order_no, _one_line(payload))
        codes = _codes(payload, read_options(access.options))
        return Done(cost, order.order_no, codes=codes) if codes else Unknown("codes_missing")

    async def _ask(
        self,
        access: Access,
        method: str,
        path: str,
        model: type[_Found],
        deadline: Deadline | None = None,
    ) -> _Found | Unknown | NotSent:
        deadline = deadline or Deadline(access.timeout)
        return _read(
            await self._call(access, method, path, None, deadline, LISTING_BYTES_MAX), model
        )

    async def _call(
        self,
        access: Access,
        method: str,
        path: str,
        document: Mapping[str, Any] | None,
        deadline: Deadline,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Heard | NotSent | Unknown:
        url = access.base_url.rstrip("/") + path
        body = b"" if document is None else compact_json(document).encode()
        stamp = str(int(time.time()))
        named = {"method": method, "path": urlsplit(url).path, "ts": stamp}
        headers = {
            "Content-Type": "application/json",
            "Dujiao-Next-Api-Key": access.account_id,
            "Dujiao-Next-Timestamp": stamp,
            "Dujiao-Next-Signature": sign(
                REQUEST_LINES, access.secret, Material(body, named=named)
            ),
        }
        return await self._outside.call(
            method,
            url,
            headers=headers,
            content=body,
            timeout=deadline.left,
            bytes_max=bytes_max,
        )


def _read(heard: Heard | Unknown | NotSent, model: type[_Found]) -> _Found | Unknown | NotSent:
    if not isinstance(heard, Heard):
        return heard
    if heard.status >= 500:
        return Unknown("supplier_error")
    try:
        return model.model_validate(read_json(heard.body))
    except (NotReadable, ValidationError):
        return Unknown(BAD_ANSWER)


def _articles(product: wire.Product, currency: str) -> list[Article]:
    found = []
    for sku in product.skus:
        try:
            cost = to_money(sku.price_amount, currency)
        except ValueError:
            continue
        if sku.is_active:
            stock = None if sku.stock_quantity < 0 else sku.stock_quantity
            name = f"{product.name} {sku.sku_code}".strip()
            found.append(Article(f"{product.id}:{sku.id}", name, cost, stock))
    return found


def _codes(payload: str, options: Options) -> tuple[Code, ...]:
    return tuple(_code(line.strip(), options) for line in payload.splitlines() if line.strip())


def _code(line: str, options: Options) -> Code:
    number, found, password = (
        line.partition(options.separator) if options.separator else (line, "", "")
    )
    if found and number.strip() and password.strip():
        return Code({"number": number.strip(), "password": password.strip()})
    return Code({"code": line})


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def create(outside: Outside) -> Connector:
    return DujiaoNextConnector(outside)
