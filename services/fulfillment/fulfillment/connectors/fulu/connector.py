"""Fulu: top-ups and card keys for yuan. Every order is asynchronous, and its signature says so
little of the order of characters that nothing of a callback is believed: it is asked for.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from fulfillment.connector import (
    Access,
    Answer,
    Article,
    ArticlePage,
    Connector,
    Done,
    Failed,
    Forged,
    NotFound,
    NotSent,
    Pushed,
    Report,
    Terms,
    Told,
    Unknown,
    Wanted,
)
from fulfillment.connectors.fulu import wire
from fulfillment.connectors.fulu.settings import DEFINITE, PRODUCTION, read_options
from fulfillment.connectors.fulu.wire import Goods, Order, OrderState
from fulfillment.decimals import to_money
from fulfillment.exchange import Deadline, NotReadable, compact_json, read_json
from fulfillment.outside import ANSWER_BYTES_MAX, BAD_ANSWER, LISTING_BYTES_MAX, Heard, Outside
from fulfillment.signatures import SORTED_CHARACTERS, Material, sign, verifies
from kit.money import Money

_Found = TypeVar("_Found", bound=BaseModel)
_NO_SUCH_ORDER = "订单不存在"
_SOLD_OUT = frozenset({"断货", "维护"})


class FuluConnector:
    name = "fulu"
    needs_base_url = False
    terms = Terms(
        # A second order under a number is refused, so a repeat buys nothing twice.
        idempotent_by_ref=True,
        query_by_ref=True,
        definite_failures=DEFINITE,
        timeout=timedelta(seconds=20),
        visibility_delay=timedelta(minutes=5),
        unknown_ttl=timedelta(hours=24),
    )

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def check(self, options: Mapping[str, Any]) -> None:
        read_options(options)

    def terms_for(self, _: Mapping[str, Any]) -> Terms:
        return self.terms

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        if wanted.cost_max.currency != wire.CURRENCY:
            return NotSent("wrong_currency", is_final=True)
        if not wanted.sku.isdigit():
            return NotSent("sku_unknown", is_final=True)
        deadline = Deadline(access.timeout)
        no = await self._too_dear(access, wanted, deadline)
        if no is not None:
            return no
        business = {
            "product_id": int(wanted.sku),
            "buy_num": wanted.quantity,
            "customer_order_no": wanted.reference.hex,
        }
        method = "fulu.order.card.add"
        if wanted.account:
            method, business["charge_account"] = "fulu.order.direct.add", wanted.account
        found = await self._call(access, method, business, deadline)
        answer = self._read(access, found, wanted.reference, expects_cards=not wanted.account)
        return Unknown("not_found_yet") if isinstance(answer, NotFound) else answer

    async def query(self, access: Access, reference: UUID) -> Report:
        business = {"customer_order_no": reference.hex}
        method = "fulu.order.info.get"
        found = await self._call(access, method, business, Deadline(access.timeout))
        if isinstance(found, Failed):
            # The question was refused: that says nothing about the purchase.
            return Unknown(found.code)
        return self._read(access, found, reference, expects_cards=False)

    async def balance(self, access: Access) -> Money | Unknown | NotSent:
        method = "fulu.user.info.get"
        found = await self._ask(access, method, {}, wire.User, Deadline(access.timeout))
        if not isinstance(found, wire.User):
            return found
        try:
            return to_money(found.balance, wire.CURRENCY)
        except ValueError:
            return Unknown(BAD_ANSWER)

    async def articles(self, access: Access, _: str | None) -> ArticlePage | Unknown | NotSent:
        """All there is: Fulu knows no pages."""
        method, deadline = "fulu.goods.list.get", Deadline(access.timeout)
        found = await self._call(access, method, {}, deadline, LISTING_BYTES_MAX)
        if isinstance(found, Unknown | NotSent):
            return found
        if not isinstance(found, list):
            return Unknown(BAD_ANSWER)
        articles = []
        for each in found:
            try:
                goods = Goods.model_validate(each)
                cost = to_money(goods.purchase_price, wire.CURRENCY)
            except ValueError:
                continue
            stock = 0 if goods.stock_status in _SOLD_OUT else None
            articles.append(Article(goods.product_id, goods.product_name, cost, stock))
        return ArticlePage(tuple(articles), None)

    def hear(self, access: Access, pushed: Pushed) -> Told:
        try:
            found = read_json(pushed.body)
            told = wire.Callback.model_validate(found)
            reference = UUID(told.customer_order_no)
        except (NotReadable, ValueError):
            raise Forged("not to be read") from None
        if not all(isinstance(value, str) for value in found.values()):
            raise Forged("not all values are texts")
        rest = {name: value for name, value in found.items() if name != "sign"}
        material = Material(compact_json(rest).encode())
        secret = access.callback_secret or access.secret
        if not verifies(SORTED_CHARACTERS, secret, material, found.get("sign", "")):
            raise Forged("not its signature")
        return Told(
            reference,
            Unknown("in_progress"),
            b"success",
            is_success=told.order_status == OrderState.SUCCESS,
            supplier_reference=told.order_id[:200],
        )

    async def _too_dear(self, access: Access, wanted: Wanted, deadline: Deadline) -> NotSent | None:
        """Fulu takes no limit: its price is asked for before."""
        method, business = "fulu.goods.info.get", {"product_id": int(wanted.sku)}
        goods = await self._ask(access, method, business, Goods, deadline)
        if not isinstance(goods, Goods):
            return NotSent("price_not_told")
        try:
            cost = to_money(goods.purchase_price, wire.CURRENCY) * wanted.quantity
        except ValueError:
            return NotSent("price_not_told")
        if cost.amount_minor > wanted.cost_max.amount_minor:
            return NotSent("cost_too_high", is_final=True)
        return None

    def _read(self, access: Access, found: Any, reference: UUID, *, expects_cards: bool) -> Report:
        if isinstance(found, Unknown | NotSent | Failed | NotFound):
            return found
        try:
            order = Order.model_validate(found)
            same = UUID(order.customer_order_no) == reference
        except ValueError:
            return Unknown(BAD_ANSWER)
        if not same:
            return Unknown("wrong_reference")
        match order.order_state:
            case OrderState.SUCCESS:
                return _done(order, access.secret, expects_cards=expects_cards)
            case OrderState.FAILED:
                return Failed("refused")
            case OrderState.UNTREATED | OrderState.PROCESSING:
                return Unknown("in_progress")
            case _:
                return Unknown(BAD_ANSWER)

    async def _ask(
        self,
        access: Access,
        method: str,
        business: dict[str, Any],
        model: type[_Found],
        deadline: Deadline,
    ) -> _Found | Unknown | NotSent:
        found = await self._call(access, method, business, deadline)
        if isinstance(found, Unknown | NotSent):
            return found
        try:
            return model.model_validate(found)
        except ValidationError:
            return Unknown(BAD_ANSWER)

    async def _call(
        self,
        access: Access,
        method: str,
        business: dict[str, Any],
        deadline: Deadline,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Any:
        """The result, read; or why there is none."""
        sent = wire.envelope(access.account_id, method, business)
        text = compact_json(sent)
        sent["sign"] = sign(SORTED_CHARACTERS, access.secret, Material(text.encode()))
        heard = await self._outside.call(
            "POST",
            access.base_url or PRODUCTION,
            headers={"Content-Type": "application/json"},
            content=compact_json(sent).encode(),
            timeout=deadline.left,
            bytes_max=bytes_max,
        )
        return _opened(heard, access) if isinstance(heard, Heard) else heard


def _opened(heard: Heard, access: Access) -> Any:
    if heard.status >= 500:
        return Unknown("supplier_error")
    try:
        envelope = wire.Envelope.model_validate(read_json(heard.body))
    except (NotReadable, ValidationError):
        return Unknown(BAD_ANSWER)
    if envelope.code != 0:
        return _no(envelope, access)
    material = Material((envelope.result or "").encode())
    if not verifies(SORTED_CHARACTERS, access.secret, material, envelope.sign or ""):
        return Unknown("forged_answer")
    try:
        return read_json(envelope.result or "")
    except NotReadable:
        return Unknown(BAD_ANSWER)


def _no(envelope: wire.Envelope, access: Access) -> Failed | NotFound | Unknown:
    options, said = read_options(access.options), str(envelope.code)
    if said in options.not_found or _NO_SUCH_ORDER in envelope.message:
        return NotFound()
    if said in options.definite:
        return Failed(options.definite[said])
    # A number that is taken already is one of these: the order is asked for.
    return Unknown(f"said_{said}"[:40].replace("-", "minus_"))


def _done(order: Order, secret: str, *, expects_cards: bool) -> Done | Unknown:
    expects_cards = expects_cards or not order.charge_account
    if expects_cards and not order.cards:
        return Unknown("codes_missing")
    try:
        codes = tuple(wire.code_of(card, secret) for card in order.cards or ())
        cost = to_money(order.order_price, wire.CURRENCY)
    except wire.CardNotReadable:
        return Unknown("codes_not_readable")
    except ValueError:
        return Unknown(BAD_ANSWER)
    return Done(cost, order.order_id, order.operator_serial_number or "", codes)


def create(outside: Outside) -> Connector:
    return FuluConnector(outside)
