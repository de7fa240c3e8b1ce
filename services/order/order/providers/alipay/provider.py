"""Alipay: `page` (a desktop browser) and `wap` (a phone's browser), signed with RSA2.

Beginning asks nobody: the buyer's browser posts a form that we signed. Our reference is
`out_trade_no`, a refund's is `out_request_no`. Amounts are yuan with two decimals.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import orjson

from kit.clock import SystemClock
from kit.money import Money
from order import rsa
from order.outbound import Unanswered
from order.provider import (
    Access,
    Answer,
    BadAccount,
    BeginRefused,
    Callback,
    CallbackRefused,
    Found,
    Handover,
    Loaded,
    Notice,
    NoticeKind,
    PaymentState,
    RefundOutcome,
    Wanted,
    reference_of,
)
from order.providers.alipay import signature
from order.refunds.domain import Refund

CURRENCY = "CNY"
GATEWAY = "/gateway.do"
_CHINA = timezone(timedelta(hours=8))
_CLOCK = SystemClock()
_FIELDS_MAX = 100
_MEMBERS = {"app_id": re.compile(r"[0-9]{10,32}"), "seller_id": re.compile(r"2088[0-9]{12}")}
_YUAN = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?")
_PRODUCTS = {
    "page": ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    "wap": ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
}
_STATES = {
    "WAIT_BUYER_PAY": PaymentState.WAITING,
    "TRADE_SUCCESS": PaymentState.PAID,
    "TRADE_FINISHED": PaymentState.PAID,
    # Not paid in time, closed by the seller, or wholly refunded: never a refusal. A bank's no stays
    # between Alipay and the buyer, whose trade goes on waiting.
    "TRADE_CLOSED": PaymentState.FAILED,
}
_OK = "10000"
_REFUSED = "40004"
_NOT_EXIST = "ACQ.TRADE_NOT_EXIST"
_TROUBLE = "ACQ.SYSTEM_ERROR"
"""Also told with `aop.` in front, in small letters or large ones."""


class AlipayProvider:
    name = "alipay"
    takes_word = False
    default_url = "https://openapi.alipay.com"
    account_settings = frozenset({"app_id", "seller_id", "alipay_public_key"})
    account_secrets = frozenset({"private_key"})
    optional = frozenset[str]()
    methods = ("page", "wap")

    def check_account(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        for name, pattern in _MEMBERS.items():
            if not pattern.fullmatch(settings[name]):
                raise BadAccount(f"/settings/{name}", f"must match {pattern.pattern}")
        try:
            rsa.check_public_key(settings["alipay_public_key"])
        except ValueError as error:
            raise BadAccount("/settings/alipay_public_key", "no RSA public key") from error
        try:
            rsa.check_private_key(secrets["private_key"])
        except ValueError as error:
            raise BadAccount("/secrets/private_key", "no RSA private key") from error

    async def begin(self, access: Access, wanted: Wanted) -> Handover:
        if wanted.amount.currency != CURRENCY:
            raise BeginRefused(f"Alipay takes {CURRENCY} only")
        method, product = _PRODUCTS[wanted.method]
        content = {
            "out_trade_no": wanted.reference.hex,
            "total_amount": yuan(wanted.amount),
            "subject": wanted.subject,
            "product_code": product,
            "time_expire": _china_time(wanted.expires_at),
        }
        more = {"notify_url": wanted.notify_url, "return_url": wanted.return_url}
        form = _request(access, method, content, more)
        return Handover(form=form, form_action=f"{access.http.base_url}{GATEWAY}?charset=utf-8")

    def owner_of(self, callback: Callback) -> Mapping[str, str]:
        return {"app_id": _form(callback.body).get("app_id", "")[:32]}

    def payment_of(self, callback: Callback) -> UUID | None:
        return reference_of(_form(callback.body).get("out_trade_no", "")[:64])

    def read_callback(self, access: Access, callback: Callback, now: datetime) -> Notice:
        """No time is looked at: a notice keeps its own through a day of repeats."""
        fields = _form(callback.body)
        if not fields.get("sign") or fields.get("sign_type", "RSA2") != "RSA2":
            raise CallbackRefused("unsigned")
        key = access.settings["alipay_public_key"]
        if not rsa.verifies(key, signature.notice_text(fields), fields["sign"]):
            raise CallbackRefused("forged")
        for name in ("app_id", "seller_id"):
            if fields.get(name) != access.settings[name]:
                raise CallbackRefused("foreign", f"another {name}")
        return _notice(fields)

    def answer(self, *, is_accepted: bool, is_temporary: bool = False) -> Answer:
        if is_accepted:
            return Answer(200, b"success", "text/plain")
        return Answer(503 if is_temporary else 400, b"failure", "text/plain")

    async def query(self, access: Access, reference: UUID, _: str) -> Found:
        """A trade comes into being when the buyer opens the page: until then none is known."""
        document = await _call(access, "alipay.trade.query", {"out_trade_no": reference.hex})
        if document.get("code") != _OK:
            missing = document.get("sub_code") == _NOT_EXIST
            state = PaymentState.WAITING if missing else PaymentState.UNKNOWN
            return Found(state, why=_why(document))
        if document.get("out_trade_no") != reference.hex:
            return Found(PaymentState.UNKNOWN, why="the answer is about another payment")
        status = str(document.get("trade_status"))
        amount = money(str(document.get("total_amount")))
        payment = str(document.get("trade_no") or "")
        return Found(_STATES.get(status, PaymentState.UNKNOWN), payment, amount, status[:40])

    async def close(
        self, access: Access, reference: UUID, session: str, *, is_over: bool
    ) -> PaymentState:
        """The form that was handed out makes the trade whenever it is posted, in its time."""
        document = await _call(access, "alipay.trade.close", {"out_trade_no": reference.hex})
        if document.get("code") == _OK:
            return PaymentState.FAILED
        if document.get("sub_code") == _NOT_EXIST:
            return PaymentState.FAILED if is_over else PaymentState.WAITING
        return (await self.query(access, reference, session)).state

    async def give_back(self, access: Access, refund: Refund, _: UUID) -> RefundOutcome:
        content = {
            "trade_no": refund.provider_reference,
            "refund_amount": yuan(refund.amount),
            "out_request_no": refund.id.hex,
        }
        document = await _call(access, "alipay.trade.refund", content)
        same = document.get("trade_no") == refund.provider_reference
        if document.get("code") == _OK and same and document.get("fund_change") == "Y":
            return RefundOutcome.DONE
        outcome = await _ask_refund(access, refund)
        if _is_refusal(document) and outcome is not RefundOutcome.DONE:
            return RefundOutcome.REFUSED
        # A no to this attempt says nothing of one before it whose answer was lost.
        return outcome


def yuan(amount: Money) -> str:
    """1990 -> 19.90"""
    return f"{amount.amount_minor // 100}.{amount.amount_minor % 100:02d}"


def money(text: str) -> Money | None:
    """Exactly, or not at all: never by way of a fraction."""
    found = _YUAN.fullmatch(text)
    if found is None:
        return None
    return Money(int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0")), CURRENCY)


def _request(
    access: Access, method: str, content: Mapping[str, str], more: Mapping[str, str]
) -> dict[str, str]:
    fields = {
        "app_id": access.settings["app_id"],
        "method": method,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": _china_time(_CLOCK.now()),
        "version": "1.0",
        "biz_content": orjson.dumps(dict(content)).decode(),
        **more,
    }
    return signature.signed(fields, access.secrets["private_key"])


async def _call(access: Access, method: str, content: Mapping[str, str]) -> dict[str, Any]:
    """The signed part of the answer. Raises Unanswered, also for what is not well signed."""
    form = _request(access, method, content, {})
    headers = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}
    body = urlencode(form).encode()
    answer = await access.http.call("POST", GATEWAY, headers=headers, content=body)
    if answer.status != 200:
        raise Unanswered(str(answer.status))
    sign = answer.document().get("sign")
    node = method.replace(".", "_") + "_response"
    part = signature.answer_part(answer.body.decode("utf-8", "replace"), node)
    key = access.settings["alipay_public_key"]
    if part is None or not rsa.verifies(key, part.encode(), str(sign)):
        raise Unanswered("its answer is not well signed")
    # What was signed, not what the whole says: there a member may come twice.
    return replace(answer, body=part.encode()).document()


def _is_refusal(document: Mapping[str, Any]) -> bool:
    trouble = str(document.get("sub_code")).upper().endswith(_TROUBLE)
    return document.get("code") == _REFUSED and not trouble


async def _ask_refund(access: Access, refund: Refund) -> RefundOutcome:
    content = {"trade_no": refund.provider_reference, "out_request_no": refund.id.hex}
    document = await _call(access, "alipay.trade.fastpay.refund.query", content)
    # The trade may be left out of this answer, the request may not.
    trade = document.get("trade_no", refund.provider_reference)
    same = (document.get("out_request_no"), trade) == (refund.id.hex, refund.provider_reference)
    done = document.get("refund_status") == "REFUND_SUCCESS"
    is_done = document.get("code") == _OK and same and done
    return RefundOutcome.DONE if is_done else RefundOutcome.UNKNOWN


def _form(body: bytes) -> dict[str, str]:
    """Each field once. Raises CallbackRefused."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except ValueError as error:
        raise CallbackRefused("malformed") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise CallbackRefused("malformed", "a field comes twice")
    return fields


def _notice(fields: Mapping[str, str]) -> Notice:
    """A notice is the same when trade, state and refund are: that is what it is told apart by. A
    refund that we did not ask for may have no number.
    """
    status, trade = fields.get("trade_status", "")[:40], fields.get("out_trade_no", "")[:64]
    refunded = fields.get("refund_fee") or ""
    if money(refunded) == Money(0, CURRENCY):  # said of payments too
        refunded = ""
    biz = fields.get("out_biz_no", "")[:64] or f"refund-{refunded[:20]}" if refunded else ""
    payment = fields.get("trade_no", "")[:120]
    event_id, reference = f"{trade}:{status}:{biz}", reference_of(trade)
    if refunded:
        back = money(refunded)
        return Notice(
            event_id, NoticeKind.REFUNDED, status, reference, payment, back, reference_of(biz)
        )
    kinds = {PaymentState.PAID: NoticeKind.PAID, PaymentState.FAILED: NoticeKind.FAILED}
    kind = kinds.get(_STATES.get(status, PaymentState.UNKNOWN), NoticeKind.OTHER)
    amount = money(fields.get("total_amount", ""))
    return Notice(event_id, kind, status, reference, payment, amount)


def _why(document: Mapping[str, Any]) -> str:
    return str(document.get("sub_code") or document.get("code"))[:80]


def _china_time(moment: datetime) -> str:
    return moment.astimezone(_CHINA).strftime("%Y-%m-%d %H:%M:%S")


PROVIDER: Loaded = AlipayProvider()
