"""Alipay's gateway as far as a seller's checkout sees it, with keys of its own."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from kit.ids import new_id
from order import rsa
from order.providers.alipay import signature
from tests.order.providers.peers.base import Pushed
from tests.order.providers.peers.keys import keys_of
from tests.order.providers.peers.serving import MoodyPeer

APP_ID = "2015102700040153"
SELLER_ID = "2088102119685838"
_ALIPAY, _MERCHANT, _SOMEBODY = "alipay", "alipay merchant", "somebody"


class AlipayPeer(MoodyPeer):
    """`trades` by out_trade_no, made when the buyer opens the page; `refunds` by out_request_no."""

    name = "alipay"
    method = "page"
    currency = "CNY"
    refund_pending = "N"
    free_text = frozenset[str]()
    finds_refusals = False

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        self.moods, self.asked = [], []
        self.trades: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.closed: set[str] = set()
        self.refund_state = "Y"
        # The trade that answers about refunds name, instead of their own.
        self.mixed_up_trade: str | None = None
        # Told instead of the truth, to calls that take effect all the same.
        self.refund_answers: list[dict[str, Any]] = []
        # A second member of the same name in every answer, which nobody signed.
        self.appended: dict[str, Any] | None = None

    @property
    def account(self) -> dict[str, Any]:
        return {
            "settings": {
                "app_id": APP_ID,
                "seller_id": SELLER_ID,
                "alipay_public_key": keys_of(_ALIPAY).public,
            },
            "secrets": {"private_key": keys_of(_MERCHANT).private},
        }

    async def serve(self, request: Request, body: bytes) -> Response:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        text, given = signature.request_text(fields), fields["sign"]
        if not rsa.verifies(keys_of(_MERCHANT).public, text, given):
            return self._say("error", {"code": "40002", "sub_code": "isv.invalid-signature"})
        content = json.loads(fields["biz_content"])
        method = fields["method"]
        answers = {
            "alipay.trade.query": self._query,
            "alipay.trade.close": self._close,
            "alipay.trade.refund": self._refund,
            "alipay.trade.fastpay.refund.query": self._query_refund,
        }
        return self._say(method.replace(".", "_"), answers[method](content))

    def _query(self, content: dict[str, str]) -> dict[str, Any]:
        trade = self.trades.get(content["out_trade_no"])
        return {"code": "10000", "msg": "Success", **trade} if trade else _no_trade()

    def _close(self, content: dict[str, str]) -> dict[str, Any]:
        reference = content["out_trade_no"]
        trade = self.trades.get(reference)
        if trade is not None and trade["trade_status"] != "WAIT_BUYER_PAY":
            return {"code": "40004", "sub_code": "ACQ.TRADE_STATUS_ERROR"}
        if trade is None:
            return _no_trade()
        self.closed.add(reference)
        trade["trade_status"] = "TRADE_CLOSED"
        return {"code": "10000"}

    def _refund(self, content: dict[str, str]) -> dict[str, Any]:
        number = content["out_request_no"]
        truth = {
            "code": "10000",
            "trade_no": self.mixed_up_trade or content["trade_no"],
            "fund_change": "N" if number in self.refunds else "Y",
        }
        if number not in self.refunds:
            self.refunds[number] = {**content, "is_done": self.refund_state == "Y"}
            truth["fund_change"] = self.refund_state
        return self.refund_answers.pop(0) if self.refund_answers else truth

    def _query_refund(self, content: dict[str, str]) -> dict[str, Any]:
        refund = self.refunds.get(content["out_request_no"])
        if refund is None or not refund["is_done"]:
            return {"code": "10000"}
        return {
            "code": "10000",
            "trade_no": self.mixed_up_trade or content["trade_no"],
            "out_request_no": content["out_request_no"],
            "refund_status": "REFUND_SUCCESS",
        }

    def _say(self, node: str, document: dict[str, Any]) -> Response:
        part = json.dumps(document, ensure_ascii=False)
        signed = rsa.sign(keys_of(_ALIPAY).private, part.encode())
        more = f'"{node}_response":{json.dumps(self.appended)},' if self.appended else ""
        body = f'{{"{node}_response":{part},{more}"sign":"{signed}"}}'
        return Response(body.encode(), media_type="application/json")

    # What happens on the buyer's screen, and what is then sent.

    def pay(self, reference: str, *, amount: int | None = None) -> Pushed:
        minor = 1990 if amount is None else amount
        number = self.trades.get(reference, {}).get("trade_no") or f"2016{new_id().int % 10**20}"
        self.trades[reference] = {
            "out_trade_no": reference,
            "trade_no": number,
            "trade_status": "TRADE_SUCCESS",
            "total_amount": f"{minor // 100}.{minor % 100:02d}",
        }
        return self.push(self.trades[reference])

    def fail(self, reference: str) -> Pushed:
        told = {"out_trade_no": reference, "trade_no": "2016", "trade_status": "TRADE_CLOSED"}
        return self.push(told)

    def refuse(self, _: str) -> None:
        return None

    def lie(self, reference: str, *, amount: int) -> Pushed:
        told = {
            "out_trade_no": reference,
            "trade_no": "2016071921",
            "trade_status": "TRADE_SUCCESS",
            "total_amount": f"{amount / 100:.2f}",
        }
        return self.push(told)

    def stray(self) -> Pushed:
        return self.lie(new_id().hex, amount=100)

    def foreign(self, reference: str) -> Pushed:
        told = {**self.trades[reference], "seller_id": "2088102119685839"}
        return self.push(told)

    def refunded(self, refund_id: str) -> Pushed:
        refund = self.refunds[refund_id]
        refund["is_done"] = True
        trade = next(it for it in self.trades.values() if it["trade_no"] == refund["trade_no"])
        told = {**trade, "refund_fee": refund["refund_amount"], "out_biz_no": refund_id}
        return self.push(told)

    def visit(self, reference: str) -> None:
        self.trades[reference] = {
            "out_trade_no": reference,
            "trade_no": f"2016{new_id().int % 10**20}",
            "trade_status": "WAIT_BUYER_PAY",
            "total_amount": "19.90",
        }

    def is_closed(self, reference: str) -> bool:
        return reference in self.closed

    def push(self, told: dict[str, Any], *, owner: str = _ALIPAY) -> Pushed:
        fields = {
            "notify_time": "2026-11-27 14:10:49",
            "notify_type": "trade_status_sync",
            "notify_id": new_id().hex,
            "app_id": APP_ID,
            "charset": "utf-8",
            "version": "1.0",
            "sign_type": "RSA2",
            "seller_id": SELLER_ID,
            "subject": "大乐透 2.1 + more",
            "buyer_logon_id": "",
            **told,
        }
        text = signature.notice_text(fields)
        return _form({**fields, "sign": rsa.sign(keys_of(owner).private, text)})

    def unsigned(self, pushed: Pushed) -> Pushed:
        fields = dict(parse_qsl(pushed.body.decode(), keep_blank_values=True))
        return _form({name: value for name, value in fields.items() if name != "sign"})

    def forged(self, pushed: Pushed) -> Pushed:
        fields = dict(parse_qsl(pushed.body.decode(), keep_blank_values=True))
        return self.push({name: it for name, it in fields.items() if name != "sign"}, owner="x")

    def old(self, _: Pushed) -> Pushed | None:
        return None


def _form(fields: dict[str, str]) -> Pushed:
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return Pushed(urlencode(fields).encode(), headers)


def _no_trade() -> dict[str, Any]:
    return {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"}


PEER = AlipayPeer
