"""Reloadly: airtime to a phone, or gift cards as codes; an account buys one of the two.

A `customIdentifier` is taken for ever, so after a lost answer the transaction is looked up by it.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote
from uuid import UUID

from pydantic import ValidationError

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
    NotFound,
    NotSent,
    Pushed,
    Report,
    Terms,
    Told,
    Unknown,
    Wanted,
)
from fulfillment.connectors.reloadly import wire
from fulfillment.connectors.reloadly.session import Session
from fulfillment.connectors.reloadly.settings import DEFINITE, Options, Product, read_options
from fulfillment.connectors.reloadly.wire import Status, Transaction
from fulfillment.decimals import to_money
from fulfillment.exchange import Deadline, NotReadable, fits_window, read_json
from fulfillment.outside import BAD_ANSWER, LISTING_BYTES_MAX, Outside
from fulfillment.signatures import Digest, Material, Recipe, verifies
from kit.money import Money

WINDOW_SECONDS = 300
PAGE_SIZE = 50
SIGNED = Recipe("{body}:{ts}", Digest.HMAC_SHA256)
_AIRTIME_SKU = re.compile(r"([A-Z]{2}):([0-9]{1,9}):([0-9]{1,9}(?:\.[0-9]{1,2})?)(:local)?")
_GIFT_SKU = re.compile(r"([0-9]{1,9}):([0-9]{1,9}(?:\.[0-9]{1,2})?)")
_REPORTS = {
    Product.AIRTIME: "/topups/reports/transactions",
    Product.GIFTCARDS: "/reports/transactions",
}


class ReloadlyConnector:
    name = "reloadly"
    needs_base_url = False
    terms = Terms(
        # A second transaction under an identifier is refused, so a repeat buys nothing twice.
        idempotent_by_ref=True,
        query_by_ref=True,
        definite_failures=DEFINITE,
        timeout=timedelta(seconds=30),
        visibility_delay=timedelta(minutes=5),
        unknown_ttl=timedelta(hours=24),
    )

    def __init__(self, outside: Outside) -> None:
        self._session = Session(outside)

    def check(self, options: Mapping[str, Any]) -> None:
        read_options(options)

    def terms_for(self, _: Mapping[str, Any]) -> Terms:
        return self.terms

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        options, deadline = read_options(access.options), Deadline(access.timeout)
        planned = self._planned(options, wanted)
        if isinstance(planned, NotSent):
            return planned
        path, document = planned
        no = await self._too_dear(access, options, wanted, deadline)
        if no is not None:
            return no
        found = await self._session.call(access, options, "POST", path, document, deadline)
        if isinstance(found, Failed):
            return _refused(found, options)
        if isinstance(found, Unknown | NotSent):
            return found
        return await self._answer(access, options, found, wanted.reference, deadline)

    async def query(self, access: Access, reference: UUID) -> Report:
        options, deadline = read_options(access.options), Deadline(access.timeout)
        path = f"{_REPORTS[options.product]}?customIdentifier={quote(str(reference))}&size=10"
        found = await self._session.call(access, options, "GET", path, None, deadline)
        if isinstance(found, Failed):
            # The question was refused: that says nothing about the purchase.
            return Unknown(f"said_{found.code.lower()}"[:60])
        if isinstance(found, Unknown | NotSent):
            return found
        items = found.get("content") if isinstance(found, dict) else found
        if not isinstance(items, list):
            return Unknown(BAD_ANSWER)
        if not items:
            return NotFound()
        # A report that took no notice of our filter proves nothing.
        mine = [it for it in items if isinstance(it, dict) and _is_of(it, reference)]
        if len(mine) != 1:
            return Unknown("wrong_reference")
        return await self._answer(access, options, mine[0], reference, deadline)

    async def balance(self, access: Access) -> Money | Unknown | NotSent:
        options, deadline = read_options(access.options), Deadline(access.timeout)
        path = "/accounts/balance"
        found = await self._session.call(access, options, "GET", path, None, deadline)
        if isinstance(found, Failed):
            return Unknown("refused")
        if isinstance(found, Unknown | NotSent):
            return found
        try:
            balance = wire.Balance.model_validate(found)
            return to_money(balance.balance, balance.currency)
        except ValueError:
            return Unknown(BAD_ANSWER)

    async def articles(self, access: Access, cursor: str | None) -> ArticlePage | Unknown | NotSent:
        """Of what has fixed prices: a range has as many articles as it has amounts."""
        options, deadline = read_options(access.options), Deadline(access.timeout)
        page = int(cursor) if cursor and cursor.isdigit() else 1
        name = "operators" if options.product is Product.AIRTIME else "products"
        path = f"/{name}?page={page}&size={PAGE_SIZE}"
        found = await self._session.call(
            access, options, "GET", path, None, deadline, LISTING_BYTES_MAX
        )
        if isinstance(found, Failed):
            return Unknown("refused")
        if isinstance(found, Unknown | NotSent):
            return found
        items = found.get("content") if isinstance(found, dict) else found
        if not isinstance(items, list):
            return Unknown(BAD_ANSWER)
        read = _airtime if options.product is Product.AIRTIME else _gift_cards
        articles = tuple(article for item in items for article in read(item))
        return ArticlePage(articles, str(page + 1) if len(items) == PAGE_SIZE else None)

    def hear(self, access: Access, pushed: Pushed) -> Told:
        stamp = pushed.headers.get("x-reloadly-request-timestamp", "")
        given = pushed.headers.get("x-reloadly-signature", "")
        if not fits_window(stamp, WINDOW_SECONDS):
            raise Forged("too old, or no time")
        secret = access.callback_secret or access.secret
        if not verifies(SIGNED, secret, Material(pushed.body, named={"ts": stamp}), given):
            raise Forged("not its signature")
        try:
            data = wire.Webhook.model_validate(read_json(pushed.body)).data
            reference = UUID(data.custom_identifier)
        except (NotReadable, ValueError):
            raise Forged("not to be read") from None
        return Told(
            reference,
            Unknown("in_progress"),
            b"",
            is_success=data.status == Status.SUCCESSFUL,
            supplier_reference=data.transaction_id,
        )

    def _planned(self, options: Options, wanted: Wanted) -> tuple[str, dict[str, Any]] | NotSent:
        """Path and document; NotSent for what Reloadly has no words for."""
        if options.product is Product.GIFTCARDS:
            card = _GIFT_SKU.fullmatch(wanted.sku)
            if card is None or wanted.account:
                return NotSent("sku_unknown", is_final=True)
            return "/orders", {
                "productId": int(card[1]),
                "quantity": wanted.quantity,
                "unitPrice": float(card[2]),
                "customIdentifier": str(wanted.reference),
                "senderName": options.sender_name,
            }
        airtime = _AIRTIME_SKU.fullmatch(wanted.sku)
        if airtime is None or not wanted.account:
            return NotSent("sku_unknown", is_final=True)
        if wanted.quantity != 1:
            return NotSent("quantity_not_allowed", is_final=True)
        return "/topups", {
            "operatorId": int(airtime[2]),
            "amount": airtime[3],
            "useLocalAmount": bool(airtime[4]),
            "customIdentifier": str(wanted.reference),
            "recipientPhone": {"countryCode": airtime[1], "number": wanted.account},
        }

    async def _too_dear(
        self, access: Access, options: Options, wanted: Wanted, deadline: Deadline
    ) -> NotSent | None:
        """Reloadly takes no limit: its price is asked for before."""
        is_gift = options.product is Product.GIFTCARDS
        parts = wanted.sku.split(":")
        path = f"/products/{parts[0]}" if is_gift else f"/operators/{parts[1]}"
        found = await self._session.call(access, options, "GET", path, None, deadline)
        if isinstance(found, NotSent):
            return found
        if isinstance(found, Unknown | Failed):
            return NotSent("price_not_told")
        try:
            price, currency = _gift_price(found, parts) if is_gift else _airtime_price(found, parts)
            cost = to_money(price * wanted.quantity, currency)
        except (ValueError, ArithmeticError):
            return NotSent("price_not_told")
        if currency != wanted.cost_max.currency:
            return NotSent("wrong_currency", is_final=True)
        if cost.amount_minor > wanted.cost_max.amount_minor:
            return NotSent("cost_too_high", is_final=True)
        return None

    async def _answer(
        self, access: Access, options: Options, found: Any, reference: UUID, deadline: Deadline
    ) -> Answer:
        try:
            transaction = Transaction.model_validate(found)
        except ValidationError:
            return Unknown(BAD_ANSWER)
        if not _is_of(found, reference):
            return Unknown("wrong_reference")
        match transaction.status:
            case Status.SUCCESSFUL:
                return await self._done(access, options, transaction, deadline)
            case Status.FAILED | Status.REFUNDED:
                return Failed("refused")
            case Status.PENDING | Status.PROCESSING:
                return Unknown("in_progress")
            case _:
                return Unknown(BAD_ANSWER)

    async def _done(
        self, access: Access, options: Options, transaction: Transaction, deadline: Deadline
    ) -> Answer:
        told = transaction.cost()
        codes = transaction.pin.codes() if transaction.pin else ()
        if options.product is Product.GIFTCARDS:
            path = f"/orders/transactions/{transaction.transaction_id}/cards"
            found = await self._session.call(access, options, "GET", path, None, deadline)
            codes = _cards(found)
            if not codes:
                return Unknown("codes_missing")
        try:
            cost = to_money(*told) if told else None
        except ValueError:
            cost = None
        if cost is None:
            return Unknown(BAD_ANSWER)
        receipt = transaction.operator_transaction_id or ""
        return Done(cost, str(transaction.transaction_id), receipt, codes)


def _refused(found: Failed, options: Options) -> Failed | Unknown:
    if found.code == "INVALID_TOKEN":
        return Failed("not_authorized")
    translated = options.translated(found.code)
    if translated:
        return Failed(translated)
    return Unknown(f"said_{re.sub('[^a-z0-9]+', '_', found.code.lower())}"[:60])


def _is_of(found: Any, reference: UUID) -> bool:
    return isinstance(found, dict) and found.get("customIdentifier") == str(reference)


def _cards(found: Any) -> tuple[Code, ...]:
    """All of them, or none."""
    items = [found] if isinstance(found, dict) else found
    if not isinstance(items, list):
        return ()
    try:
        codes = [wire.Card.model_validate(item).code() for item in items]
    except ValidationError:
        return ()
    whole = tuple(code for code in codes if code is not None)
    return whole if len(whole) == len(items) else ()


def _gift_price(found: Any, parts: list[str]) -> tuple[Decimal, str]:
    card = wire.GiftCard.model_validate(found)
    try:
        price = card.price_of(Decimal(parts[1]))
    except InvalidOperation:
        price = None
    if price is None:
        raise ValueError("not sold at this price")
    return price, card.sender_currency


def _airtime_price(found: Any, parts: list[str]) -> tuple[Decimal, str]:
    operator = wire.Operator.model_validate(found)
    amount = Decimal(parts[2])
    if len(parts) < 4:
        return amount, operator.sender_currency
    if operator.fx is None or operator.fx.rate <= 0:
        raise ValueError("no exchange rate")
    return amount / operator.fx.rate, operator.sender_currency


def _airtime(item: Any) -> list[Article]:
    try:
        operator = wire.Operator.model_validate(item)
    except ValidationError:
        return []
    country = str(operator.country.get("isoName", ""))
    return [
        Article(
            f"{country}:{operator.operator_id}:{amount.normalize():f}",
            f"{operator.name} {amount.normalize():f}"[:200],
            to_money(amount, operator.sender_currency),
            None,
        )
        for amount in operator.fixed or []
        if re.fullmatch("[A-Z]{2}", country)
    ]


def _gift_cards(item: Any) -> list[Article]:
    try:
        card = wire.GiftCard.model_validate(item)
    except ValidationError:
        return []
    return [
        Article(
            f"{card.product_id}:{Decimal(worth).normalize():f}",
            f"{card.name} {worth}"[:200],
            to_money(price + card.fee, card.sender_currency),
            None,
        )
        for worth, price in (card.prices or {}).items()
    ]


def create(outside: Outside) -> Connector:
    return ReloadlyConnector(outside)
