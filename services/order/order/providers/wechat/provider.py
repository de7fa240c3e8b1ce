"""WeChat Pay v3: `native` (a QR code to scan) and `jsapi` (inside WeChat, the payer's openid).

Our reference is `out_trade_no`, a refund's is `out_refund_no`: both make a repeat the same.
"""

import re
import secrets as random
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson

from kit.clock import SystemClock
from kit.money import Money
from order import rsa
from order.outbound import Answered, Unanswered
from order.provider import (
    AMOUNT_MAX,
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
    object_of,
    reference_of,
)
from order.providers.wechat import signature
from order.refunds.domain import Refund

CURRENCY = "CNY"
API_KEY_BYTES = 32
_CHINA = timezone(timedelta(hours=8))
_JSON = "application/json"
_CLOCK = SystemClock()
_MEMBERS = {
    "mchid": re.compile(r"[0-9]{6,32}"),
    "appid": re.compile(r"[A-Za-z0-9]{8,32}"),
    "serial_no": re.compile(r"[0-9A-Fa-f]{8,64}"),
}
_STATES = {
    "SUCCESS": PaymentState.PAID,
    "REFUND": PaymentState.PAID,  # it was paid; what went back since is another matter
    "NOTPAY": PaymentState.WAITING,
    "USERPAYING": PaymentState.WAITING,
    "CLOSED": PaymentState.FAILED,
    "REVOKED": PaymentState.FAILED,
    "PAYERROR": PaymentState.FAILED,
}
_REFUSAL = "PAYERROR"
"""The buyer's bank said no. CLOSED is what nobody paid in time or a seller closed, REVOKED what a
seller took back: no refusals."""
_REFUND_STATES = {
    "SUCCESS": RefundOutcome.DONE,
    "PROCESSING": RefundOutcome.UNKNOWN,
    "CLOSED": RefundOutcome.REFUSED,
    "ABNORMAL": RefundOutcome.REFUSED,
}
_UNDECIDED = frozenset({"SIGN_ERROR", "SYSTEM_ERROR", "FREQUENCY_LIMITED", "BIZERR_NEED_RETRY"})
"""Told instead of an answer to what was asked; so is whatever comes with 401."""
_NO_REFUND = "RESOURCE_NOT_EXISTS"
_REFUNDS = "/v3/refund/domestic/refunds"
_PAID_ALREADY = "ORDERPAID"
_NOT_EXIST = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST"})
_CLOSED_ALREADY = frozenset({"ORDER_CLOSED", "ORDERCLOSED"})


class WeChatProvider:
    name = "wechat"
    takes_word = False
    default_url = "https://api.mch.weixin.qq.com"
    account_settings = frozenset(
        {"mchid", "appid", "serial_no", "certificates", "public_key_id", "public_key"}
    )
    account_secrets = frozenset({"private_key", "api_v3_key"})
    optional = frozenset({"certificates", "public_key_id", "public_key"})
    methods = ("native", "jsapi")

    def check_account(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        for name, pattern in _MEMBERS.items():
            if not pattern.fullmatch(settings[name]):
                raise BadAccount(f"/settings/{name}", f"must match {pattern.pattern}")
        _check_platform_keys(settings)
        try:
            rsa.check_private_key(secrets["private_key"])
        except ValueError as error:
            raise BadAccount("/secrets/private_key", "no RSA private key") from error
        if len(secrets["api_v3_key"].encode()) != API_KEY_BYTES:
            raise BadAccount("/secrets/api_v3_key", f"has {API_KEY_BYTES} bytes")

    async def begin(self, access: Access, wanted: Wanted) -> Handover:
        if wanted.amount.currency != CURRENCY:
            raise BeginRefused(f"WeChat Pay takes {CURRENCY} only")
        if wanted.method == "jsapi" and not wanted.payer:
            raise BeginRefused("jsapi needs the payer's openid (`payer`)")
        body: dict[str, Any] = {
            "appid": access.settings["appid"],
            "mchid": access.settings["mchid"],
            "description": wanted.subject[:120],
            "out_trade_no": wanted.reference.hex,
            "time_expire": wanted.expires_at.astimezone(_CHINA).isoformat(timespec="seconds"),
            "notify_url": wanted.notify_url,
            "amount": {"total": wanted.amount.amount_minor, "currency": CURRENCY},
        }
        if wanted.method == "jsapi":
            body["payer"] = {"openid": wanted.payer}
        answer = await _call(access, "POST", f"/v3/pay/transactions/{wanted.method}", body)
        document = answer.document()
        if document.get("code") == _PAID_ALREADY:
            raise Unanswered("it is paid already, and will be found")
        if answer.status >= 400:
            raise BeginRefused(f"WeChat Pay refuses: {_code(document)}")
        return _handover(access, wanted.method, document)

    def owner_of(self, callback: Callback) -> Mapping[str, str]:
        serial = callback.headers.get("wechatpay-serial", "")
        named = serial.startswith(signature.PUBLIC_KEY_PREFIX)
        return {"public_key_id": serial} if named else {}

    def read_callback(self, access: Access, callback: Callback, now: datetime) -> Notice:
        signature.verify(access.settings, callback.headers, callback.body, now)
        envelope = object_of(callback.body)
        event_id, event = envelope.get("id"), str(envelope.get("event_type"))[:80]
        resource = envelope.get("resource")
        if not isinstance(event_id, str) or not isinstance(resource, dict):
            raise CallbackRefused("malformed")
        fact = object_of(signature.decrypt(access.secrets["api_v3_key"], resource))
        if fact.get("mchid") != access.settings["mchid"]:
            raise CallbackRefused("foreign", "another mchid")
        if event.startswith("TRANSACTION."):
            return _payment_notice(access, event_id[:200], event, fact)
        if event.startswith("REFUND."):
            return _refund_notice(event_id[:200], event, fact)
        return Notice(event_id[:200], NoticeKind.OTHER, event)

    def answer(self, *, is_accepted: bool, is_temporary: bool = False) -> Answer:
        if is_accepted:
            return Answer(200, b'{"code":"SUCCESS","message":"OK"}', _JSON)
        message = b"come again" if is_temporary else b"not genuine"
        body = b'{"code":"FAIL","message":"' + message + b'"}'
        return Answer(503 if is_temporary else 400, body, _JSON)

    async def query(self, access: Access, reference: UUID, _: str) -> Found:
        path = _transaction(reference) + f"?mchid={access.settings['mchid']}"
        answer = await _call(access, "GET", path)
        document = answer.document()
        if answer.status >= 400:
            state = PaymentState.WAITING if _code(document) in _NOT_EXIST else PaymentState.UNKNOWN
            return Found(state, why=_code(document))
        ours = (document.get("mchid"), document.get("out_trade_no"))
        if ours != (access.settings["mchid"], reference.hex):
            return Found(PaymentState.UNKNOWN, why="the answer is about another payment")
        told = str(document.get("trade_state"))[:40]
        state = _STATES.get(told, PaymentState.UNKNOWN)
        payment = str(document.get("transaction_id") or "")
        return Found(state, payment, _amount(document), told, is_refusal=told == _REFUSAL)

    async def close(
        self, access: Access, reference: UUID, _: str, *, is_over: bool
    ) -> PaymentState:
        body = {"mchid": access.settings["mchid"]}
        answer = await _call(access, "POST", _transaction(reference) + "/close", body)
        if answer.status < 300:
            return PaymentState.FAILED
        code = _code(answer.document())
        if code == _PAID_ALREADY:
            return PaymentState.PAID
        gone = code in _NOT_EXIST or code in _CLOSED_ALREADY
        return PaymentState.FAILED if gone else PaymentState.UNKNOWN

    async def give_back(self, access: Access, refund: Refund, _: UUID) -> RefundOutcome:
        body = {
            "transaction_id": refund.provider_reference,
            "out_refund_no": refund.id.hex,
            "notify_url": access.callback_url,
            "amount": {
                "refund": refund.amount.amount_minor,
                "total": refund.payment_amount.amount_minor,
                "currency": CURRENCY,
            },
        }
        answer = await _call(access, "POST", _REFUNDS, body)
        # Its own no is JSON; that of somebody between us is no answer.
        document = answer.document()
        if answer.status < 400:
            return _refund_state(document, refund)
        made = await _ask_refund(access, refund)
        if made is not None:
            return made
        return RefundOutcome.REFUSED if _is_decided(answer) else RefundOutcome.UNKNOWN


def _check_platform_keys(settings: Mapping[str, str]) -> None:
    if "certificates" not in settings and "public_key" not in settings:
        raise BadAccount("/settings/public_key", "the platform's public key or certificates")
    given = settings.get("public_key_id", signature.PUBLIC_KEY_PREFIX)
    if ("public_key" in settings) != ("public_key_id" in settings):
        raise BadAccount("/settings/public_key_id", "goes with public_key")
    if not given.startswith(signature.PUBLIC_KEY_PREFIX):
        raise BadAccount("/settings/public_key_id", f"begins with {signature.PUBLIC_KEY_PREFIX}")
    for name in ("certificates", "public_key"):
        only = {key: value for key, value in settings.items() if key in (name, "public_key_id")}
        try:
            for key in signature.platform_keys(only).values():
                rsa.check_public_key(key)
        except ValueError as error:
            raise BadAccount(f"/settings/{name}", "no RSA key in PEM") from error


async def _call(
    access: Access, method: str, path: str, body: Mapping[str, Any] | None = None
) -> Answered:
    """A definite answer, verified where it says that something is so. Raises Unanswered."""
    content = b"" if body is None else orjson.dumps(body)
    signed = signature.authorization(
        access.settings,
        access.secrets["private_key"],
        method,
        access.http.base_path + path,
        content,
        int(time.time()),
    )
    headers = {"authorization": signed, "content-type": _JSON}
    answer = await access.http.call(method, path, headers=headers, content=content)
    if answer.is_unclear:
        raise Unanswered(str(answer.status))
    if answer.status < 300:
        try:
            signature.verify(access.settings, answer.headers, answer.body, _CLOCK.now())
        except CallbackRefused as error:
            raise Unanswered(f"its answer is {error.why}") from error
    return answer


async def _ask_refund(access: Access, refund: Refund) -> RefundOutcome | None:
    """What became of it; None when none was made. A no to this attempt says nothing of one before
    it whose answer was lost. Raises Unanswered.
    """
    answer = await _call(access, "GET", f"{_REFUNDS}/{refund.id.hex}")
    document = answer.document()
    if answer.status < 400:
        return _refund_state(document, refund)
    if answer.status == 404 and _code(document) == _NO_REFUND:
        return None
    raise Unanswered(f"it does not say what became of the refund: {_code(document)}")


def _refund_state(document: Mapping[str, Any], refund: Refund) -> RefundOutcome:
    """Raises Unanswered for what is about another refund."""
    if document.get("out_refund_no") != refund.id.hex:
        raise Unanswered("its answer is about another refund")
    return _REFUND_STATES.get(str(document.get("status")), RefundOutcome.UNKNOWN)


def _is_decided(answer: Answered) -> bool:
    """Whether a no is one to what was asked, not to who asks or how often."""
    return answer.status != 401 and _code(answer.document()) not in _UNDECIDED


def _handover(access: Access, method: str, document: Mapping[str, Any]) -> Handover:
    given = document.get("code_url" if method == "native" else "prepay_id")
    if not isinstance(given, str) or not given:
        raise Unanswered("it gave no way to pay")
    if method == "native":
        return Handover(code_url=given)
    app_id, package = access.settings["appid"], f"prepay_id={given}"
    now, nonce = str(int(time.time())), random.token_hex(16)
    text = f"{app_id}\n{now}\n{nonce}\n{package}\n".encode()
    parameters = {
        "appId": app_id,
        "timeStamp": now,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": rsa.sign(access.secrets["private_key"], text),
    }
    return Handover(parameters=parameters)


def _payment_notice(access: Access, event_id: str, event: str, fact: Mapping[str, Any]) -> Notice:
    if fact.get("appid") != access.settings["appid"]:
        raise CallbackRefused("foreign", "another appid")
    told = str(fact.get("trade_state"))[:40]
    kinds = {PaymentState.PAID: NoticeKind.PAID, PaymentState.FAILED: NoticeKind.FAILED}
    kind = kinds.get(_STATES.get(told, PaymentState.UNKNOWN), NoticeKind.OTHER)
    return Notice(
        event_id,
        kind,
        event,
        reference_of(fact.get("out_trade_no")),
        str(fact.get("transaction_id") or "")[:120],
        _amount(fact),
        is_refusal=told == _REFUSAL,
        why=told,
    )


def _refund_notice(event_id: str, event: str, fact: Mapping[str, Any]) -> Notice:
    kind = NoticeKind.REFUNDED if event == "REFUND.SUCCESS" else NoticeKind.REFUND_FAILED
    return Notice(
        event_id,
        kind,
        event,
        reference_of(fact.get("out_trade_no")),
        str(fact.get("transaction_id") or "")[:120],
        _amount(fact, "refund"),
        reference_of(fact.get("out_refund_no")),
    )


def _transaction(reference: UUID) -> str:
    return f"/v3/pay/transactions/out-trade-no/{reference.hex}"


def _code(document: Mapping[str, Any]) -> str:
    return str(document.get("code"))[:80]


def _amount(fact: Mapping[str, Any], name: str = "total") -> Money | None:
    amount = fact.get("amount")
    minor = amount.get(name) if isinstance(amount, dict) else None
    currency = amount.get("currency", CURRENCY) if isinstance(amount, dict) else None
    if type(minor) is not int or not 0 <= minor <= AMOUNT_MAX or not isinstance(currency, str):
        return None
    return Money(minor, currency[:3])


PROVIDER: Loaded = WeChatProvider()
