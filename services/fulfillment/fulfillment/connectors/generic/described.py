"""Speaks to a supplier as a document describes it; whatever that does not name is unknown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

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
from fulfillment.connectors.generic.document import Call, CallbackForm, Document
from fulfillment.connectors.generic.reading import (
    FORM,
    MISSING,
    Refused,
    body_of,
    encoded,
    fill,
    header_safe,
    is_fresh,
    look,
    placed,
    plain,
    pushed_fields,
    put,
    refusal,
    stock_at,
    text_at,
    whole,
    written,
)
from fulfillment.decimals import to_money
from fulfillment.exchange import Deadline, compact_json, read_moment
from fulfillment.outside import ANSWER_BYTES_MAX, BAD_ANSWER, LISTING_BYTES_MAX, Heard, Outside
from fulfillment.signatures import Material, sign, verifies
from kit.money import Money


@dataclass(frozen=True, slots=True)
class Described:
    outside: Outside
    document: Document

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        document, deadline = self.document, Deadline(access.timeout)
        if wanted.cost_max.currency != document.currency:
            return NotSent("wrong_currency", is_final=True)
        words = self._words(access, wanted)
        no = await self._too_dear(access, wanted, words, deadline)
        if no is not None:
            return no
        heard = await self._call(access, document.purchase, words, deadline)
        if not isinstance(heard, Heard):
            return heard
        answer = self._read(heard, wanted.reference)
        return Unknown("not_found_yet") if isinstance(answer, NotFound) else answer

    async def query(self, access: Access, reference: UUID) -> Report:
        if self.document.query is None:
            return Unknown("cannot_be_asked")
        words = {"reference": self._worded(reference), "shop": access.account_id}
        heard = await self._call(access, self.document.query, words, Deadline(access.timeout))
        if not isinstance(heard, Heard):
            return heard
        answer = self._read(heard, reference)
        if isinstance(answer, Refused):
            # The question was refused: that says nothing about the purchase.
            return Unknown(answer.code)
        return answer

    async def balance(self, access: Access) -> Money | Unknown | NotSent:
        if self.document.balance is None:
            return Unknown(NOT_OFFERED)
        found = await self._ask(access, self.document.balance.call, {})
        if isinstance(found, Unknown | NotSent):
            return found
        return self._money(found, self.document.balance.at) or Unknown(BAD_ANSWER)

    async def articles(self, access: Access, cursor: str | None) -> ArticlePage | Unknown | NotSent:
        shape = self.document.articles
        if shape is None:
            return Unknown(NOT_OFFERED)
        page = int(cursor) if cursor and cursor.isdigit() else 1
        found = await self._ask(access, shape.call, {"cursor": str(page)})
        if isinstance(found, Unknown | NotSent):
            return found
        items = look(found, shape.at)
        if not isinstance(items, list):
            return Unknown(BAD_ANSWER)
        articles = []
        for item in items:
            sku, cost = text_at(item, shape.sku), self._money(item, shape.cost)
            if sku and cost is not None:
                name = text_at(item, shape.name) or ""
                articles.append(Article(sku, name[:200], cost, stock_at(item, shape.stock)))
        is_paged = "cursor" in shape.call.words and bool(items)
        return ArticlePage(tuple(articles), str(page + 1) if is_paged else None)

    def hear(self, access: Access, pushed: Pushed) -> Told:
        form = self.document.callback
        if form is None:
            raise Forged("no callbacks are described")
        found = pushed_fields(form, pushed)
        self._check_signature(access, form, pushed, found)
        try:
            reference = UUID(text_at(found, form.reference) or "")
        except ValueError:
            raise Forged("not about a reference of ours") from None
        status = self.document.answer.statuses.get(text_at(found, form.status) or "")
        return Told(
            reference,
            Unknown(f"told_{status}" if status else "in_progress"),
            form.reply.encode(),
            form.reply_type,
            is_success=status == "succeeded",
            supplier_reference=(text_at(found, form.supplier_reference) or "")[:200],
        )

    def _check_signature(
        self, access: Access, form: CallbackForm, pushed: Pushed, found: Any
    ) -> None:
        fields = {name: plain(value) for name, value in found.items()}
        given = placed(form.signing.place, pushed.headers, fields)
        stamp = placed(form.stamp.place, pushed.headers, fields) if form.stamp else ""
        if form.stamp and not is_fresh(form.stamp, stamp):
            raise Forged("too old, or no time")
        if not given.startswith(form.signing.prefix):
            raise Forged("not its signature")
        named = {
            "ts": stamp,
            "method": "POST",
            "path": urlsplit(access.callback_url).path,
            "account": access.account_id,
        }
        signed = {name: value for name, value in fields.items() if name != form.signing.place.field}
        secret = access.callback_secret or access.secret
        body = pushed.body
        if form.signing.place.field and form.encoding == "json":
            # The signature lies within: what it signs is the rest, as the supplier wrote it.
            rest = {name: it for name, it in found.items() if name != form.signing.place.field}
            body = compact_json(rest).encode()
        material = Material(body, signed, named)
        given = given.removeprefix(form.signing.prefix)
        if not verifies(form.signing.recipe, secret, material, given):
            raise Forged("not its signature")

    async def _too_dear(
        self, access: Access, wanted: Wanted, words: Mapping[str, str], deadline: Deadline
    ) -> NotSent | None:
        price = self.document.price
        if price is None:
            return None
        heard = await self._call(access, price.call, words, deadline)
        if isinstance(heard, NotSent):
            return heard
        found = body_of(heard)
        cost = None if isinstance(found, Unknown) else self._money(found, price.at)
        if cost is None:
            return NotSent("price_not_told")
        total = cost * wanted.quantity if price.is_ == "unit" else cost
        if total.amount_minor > wanted.cost_max.amount_minor:
            return NotSent("cost_too_high", is_final=True)
        return None

    async def _ask(
        self, access: Access, call: Call, words: Mapping[str, str]
    ) -> Any | Unknown | NotSent:
        words = {"shop": access.account_id, **words}
        deadline = Deadline(access.timeout)
        heard = await self._call(access, call, words, deadline, LISTING_BYTES_MAX)
        return heard if isinstance(heard, NotSent) else body_of(heard)

    async def _call(
        self,
        access: Access,
        call: Call,
        words: Mapping[str, str],
        deadline: Deadline,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Heard | NotSent | Unknown:
        try:
            request = self._request(access, call, words)
        except ValueError:
            # A key that is none, or a word that a header or this charset cannot carry.
            return NotSent("not_to_be_said", is_final=True)
        url, headers, content = request
        return await self.outside.call(
            call.method,
            url,
            headers=headers,
            content=content,
            timeout=deadline.left,
            bytes_max=bytes_max,
        )

    def _request(
        self, access: Access, call: Call, words: Mapping[str, str]
    ) -> tuple[str, dict[str, str], bytes]:
        """Its address, headers and body, signed last."""
        path = fill(call.path, {name: quote(value, safe="") for name, value in words.items()})
        fields = {name: fill(text, words) for name, text in call.fields.items()}
        headers = {name: header_safe(fill(text, words)) for name, text in call.headers.items()}
        stamp = self.document.stamp
        now = written(stamp) if stamp else ""
        if stamp:
            put(stamp.place, now, headers, fields)
        signing = self.document.signing
        charset = signing.charset if signing else "utf-8"
        if signing:
            named = {
                "ts": now,
                "method": call.method,
                "path": urlsplit(access.base_url).path.rstrip("/") + path,
                "account": access.account_id,
            }
            body = encoded(call, fields, charset)
            material = Material(body if call.encoding != "query" else b"", fields, named)
            made = signing.prefix + sign(signing.recipe, access.secret, material)
            put(signing.place, made, headers, fields)
        url = access.base_url.rstrip("/") + path
        if call.encoding == "query":
            query = urlencode(fields, encoding=charset)
            return f"{url}?{query}" if fields else url, headers, b""
        kind = "application/json" if call.encoding == "json" else FORM
        return url, {"Content-Type": kind, **headers}, encoded(call, fields, charset)

    def _read(self, heard: Heard, reference: UUID) -> Report:
        shape, found = self.document.answer, body_of(heard)
        if isinstance(found, Unknown):
            return found
        code = text_at(found, shape.error) if shape.error else None
        if code in shape.not_found:
            return NotFound()
        if shape.ok and text_at(found, shape.ok.at) not in shape.ok.any_of:
            return refusal(shape.definite.get(code or ""), code)
        said = text_at(found, shape.reference)
        if said is None and code in shape.definite:
            return refusal(shape.definite[code], code)
        try:
            if shape.reference and UUID(said or "") != reference:
                return Unknown("wrong_reference")
        except ValueError:
            return Unknown("wrong_reference")
        return self._worded_status(found, code)

    def _worded_status(self, found: Any, code: str | None) -> Answer:
        shape = self.document.answer
        match shape.statuses.get(text_at(found, shape.status) or ""):
            case "succeeded":
                return self._done(found)
            case "failed":
                why = text_at(found, shape.failure) if shape.failure else code
                return Failed(shape.definite.get(why or "", "refused"))
            case "accepted" | "processing":
                return Unknown("in_progress")
            case _:
                return refusal(shape.definite.get(code or ""), code)

    def _done(self, found: Any) -> Answer:
        shape = self.document.answer
        cost, codes = self._money(found, shape.cost), self._codes(found)
        if cost is None or codes is None:
            return Unknown(BAD_ANSWER)
        is_for_one = shape.cost_is == "unit"
        if is_for_one and codes:
            cost, is_for_one = cost * len(codes), False
        if shape.currency:
            said = text_at(found, shape.currency)
            if said is None or not re.fullmatch(r"[A-Z]{3}", said):
                return Unknown("wrong_currency")
            cost = Money(cost.amount_minor, said)
        reference = (text_at(found, shape.supplier_reference) or "")[:200]
        receipt = (text_at(found, shape.receipt) or "")[:500]
        return Done(cost, reference, receipt, codes, is_for_one=is_for_one)

    def _codes(self, found: Any) -> tuple[Code, ...] | None:
        """None when they are there and cannot be read."""
        shape = self.document.answer.codes
        items = look(found, shape.at) if shape else None
        if shape is None or items in (MISSING, None, ""):
            return ()
        if not isinstance(items, list):
            return None
        codes = []
        for item in items:
            fields = {name: text_at(item, at) or "" for name, at in shape.fields.items()}
            ends = text_at(item, shape.expires_at) if shape.expires_at else None
            moment = read_moment(ends) if ends else None
            if not any(fields.values()) or (ends and moment is None):
                return None
            codes.append(Code({name: it for name, it in fields.items() if it}, moment))
        return tuple(codes)

    def _money(self, found: Any, at: str) -> Money | None:
        value = look(found, at)
        try:
            if self.document.money == "minor":
                return Money(whole(value), self.document.currency)
            return to_money(value, self.document.currency)
        except ValueError:
            return None

    def _words(self, access: Access, wanted: Wanted) -> dict[str, str]:
        limit = wanted.cost_max
        is_minor = self.document.money == "minor"
        return {
            "reference": self._worded(wanted.reference),
            "sku": wanted.sku,
            "account": wanted.account,
            "quantity": str(wanted.quantity),
            "cost_max": str(limit.amount_minor) if is_minor else limit.decimal,
            "callback_url": access.callback_url,
            "shop": access.account_id,
        }

    def _worded(self, reference: UUID) -> str:
        return str(reference) if self.document.references == "dashed" else reference.hex
