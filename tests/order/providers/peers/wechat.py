"""WeChat Pay v3 as far as a seller's checkout sees it, with keys of its own."""

import base64
import json
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.requests import Request
from starlette.responses import Response

from kit.ids import new_id
from order import rsa
from tests.order.providers.peers.base import Pushed
from tests.order.providers.peers.keys import keys_of
from tests.order.providers.peers.serving import MoodyPeer

MCHID = "1900000109"
APPID = "wxd678efh567hg6787"
SERIAL = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB"
KEY_ID = "PUB_KEY_ID_0119000001092025010100181111000000"
API_V3_KEY = "0123456789abcdef0123456789abcdef"
_PLATFORM, _MERCHANT, _SOMEBODY = "wechat platform", "wechat merchant", "somebody"
_AUTHORIZATION = re.compile(
    r'WECHATPAY2-SHA256-RSA2048 mchid="(?P<mchid>\w+)",nonce_str="(?P<nonce>\w+)",'
    r'timestamp="(?P<timestamp>\d+)",serial_no="(?P<serial>\w+)",signature="(?P<signature>[^"]+)"'
)


class WeChatPeer(MoodyPeer):
    """`trades` by out_trade_no, `refunds` by out_refund_no."""

    name = "wechat"
    method = "native"
    currency = "CNY"
    refund_pending = "PROCESSING"
    free_text = frozenset[str]()
    finds_refusals = True

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        self.moods, self.asked = [], []
        self.trades: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.mixes_refunds_up = False
        self.refund_state = "SUCCESS"
        self.signs_answers = True
        # Instead of looking at it: to the next calls that ask for a refund, to all calls.
        self.refund_refusals: list[tuple[int, str]] = []
        self.knows_nobody = False

    @property
    def account(self) -> dict[str, Any]:
        return {
            "settings": {
                "mchid": MCHID,
                "appid": APPID,
                "serial_no": SERIAL,
                "public_key_id": KEY_ID,
                "public_key": keys_of(_PLATFORM).public,
            },
            "secrets": {"private_key": keys_of(_MERCHANT).private, "api_v3_key": API_V3_KEY},
        }

    async def serve(self, request: Request, body: bytes) -> Response:
        if self.knows_nobody or not self._is_ours(request, body):
            return self._say(401, {"code": "SIGN_ERROR", "message": "no"})
        path = request.url.path
        if path == "/v3/refund/domestic/refunds":
            if self.refund_refusals:
                status, code = self.refund_refusals.pop(0)
                return self._say(status, {"code": code, "message": "no"})
            return self._refund(json.loads(body))
        if path.startswith("/v3/refund/domestic/refunds/"):
            found = self.refunds.get(path.split("/")[-1])
            return self._say(200, found) if found else self._missing("RESOURCE_NOT_EXISTS")
        if path.startswith("/v3/pay/transactions/out-trade-no/"):
            return self._trade(request, path.split("/")[5])
        return self._open(path.split("/")[-1], json.loads(body))

    def _is_ours(self, request: Request, body: bytes) -> bool:
        given = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if given is None or (given["mchid"], given["serial"]) != (MCHID, SERIAL):
            return False
        query = f"?{request.url.query}" if request.url.query else ""
        head = f"{request.method}\n{request.url.path}{query}\n{given['timestamp']}\n"
        text = f"{head}{given['nonce']}\n".encode() + body + b"\n"
        return rsa.verifies(keys_of(_MERCHANT).public, text, given["signature"])

    def _open(self, method: str, body: dict[str, Any]) -> Response:
        reference = body["out_trade_no"]
        known = self.trades.get(reference)
        if known is not None and known["asked"] != body:
            return self._say(400, {"code": "INVALID_REQUEST", "message": "other parameters"})
        if known is not None and known["trade_state"] == "SUCCESS":
            return self._say(400, {"code": "ORDERPAID", "message": "paid"})
        self.trades.setdefault(
            reference, {"asked": body, "trade_state": "NOTPAY", "amount": body["amount"]}
        )
        if method == "jsapi":
            return self._say(200, {"prepay_id": f"wx{reference}"})
        return self._say(200, {"code_url": f"weixin://wxpay/bizpayurl?pr={reference[:9]}"})

    def _trade(self, request: Request, reference: str) -> Response:
        trade = self.trades.get(reference)
        if trade is None:
            return self._missing("ORDER_NOT_EXIST")
        if request.url.path.endswith("/close"):
            if trade["trade_state"] == "SUCCESS":
                return self._say(400, {"code": "ORDERPAID", "message": "paid"})
            trade["trade_state"] = "CLOSED"
            return self._say(204, None)
        return self._say(200, self._fact(reference))

    def _fact(self, reference: str, **more: Any) -> dict[str, Any]:
        trade = self.trades[reference]
        fact = {
            "mchid": MCHID,
            "appid": APPID,
            "out_trade_no": reference,
            "trade_state": trade["trade_state"],
            **more,
        }
        if "transaction_id" in trade:
            fact |= {"transaction_id": trade["transaction_id"], "trade_type": "NATIVE"}
            amount = {**trade["amount"], "payer_total": trade["amount"]["total"]}
            fact.setdefault("amount", amount)
        return fact

    def _refund(self, body: dict[str, Any]) -> Response:
        number = body["out_refund_no"]
        trade = next(
            each
            for each in self.trades.values()
            if each.get("transaction_id") == body["transaction_id"]
        )
        if body["amount"]["total"] != trade["amount"]["total"]:
            return self._say(400, {"code": "PARAM_ERROR", "message": "total"})
        refund = self.refunds.setdefault(
            number,
            {
                "refund_id": new_id().hex,
                "out_refund_no": number,
                "transaction_id": body["transaction_id"],
                "status": self.refund_state,
                "amount": body["amount"],
            },
        )
        if self.mixes_refunds_up:
            refund = {**refund, "out_refund_no": new_id().hex}
        return self._say(200, refund)

    def _missing(self, code: str) -> Response:
        return self._say(404, {"code": code, "message": "no"})

    def _say(self, status: int, document: Any) -> Response:
        body = b"" if document is None else json.dumps(document).encode()
        headers = _signed(body) if self.signs_answers else {}
        return Response(body, status_code=status, media_type="application/json", headers=headers)

    # What happens in the buyer's app, and what is then sent.

    def pay(self, reference: str, *, amount: int | None = None) -> Pushed:
        trade = self.trades[reference]
        if trade["trade_state"] != "CLOSED":
            trade |= {
                "trade_state": "SUCCESS",
                "transaction_id": trade.get("transaction_id") or f"42000{new_id().int % 10**20}",
            }
            if amount is not None:
                trade["amount"] = {"total": amount, "currency": "CNY"}
        return self.push("TRANSACTION.SUCCESS", self._fact(reference))

    def fail(self, reference: str) -> Pushed:
        return self.push("TRANSACTION.CLOSED", self._fact(reference, trade_state="CLOSED"))

    def refuse(self, reference: str) -> Pushed:
        self.trades[reference]["trade_state"] = "PAYERROR"
        return self.push("TRANSACTION.PAYERROR", self._fact(reference))

    def lie(self, reference: str, *, amount: int) -> Pushed:
        told = {
            "trade_state": "SUCCESS",
            "transaction_id": "4200000000",
            "amount": {"total": amount, "currency": "CNY"},
        }
        return self.push("TRANSACTION.SUCCESS", self._fact(reference, **told))

    def stray(self) -> Pushed:
        fact = {
            "mchid": MCHID,
            "appid": APPID,
            "out_trade_no": new_id().hex,
            "trade_state": "SUCCESS",
            "transaction_id": "4200000001",
            "amount": {"total": 100, "currency": "CNY"},
        }
        return self.push("TRANSACTION.SUCCESS", fact)

    def foreign(self, reference: str) -> Pushed:
        return self.push("TRANSACTION.SUCCESS", self._fact(reference, mchid="1900000110"))

    def refunded(self, refund_id: str) -> Pushed:
        refund = self.refunds[refund_id]
        refund["status"] = "SUCCESS"
        fact = {**refund, "mchid": MCHID, "refund_status": "SUCCESS"}
        return self.push("REFUND.SUCCESS", fact)

    def visit(self, _: str) -> None:
        return None

    def is_closed(self, reference: str) -> bool:
        return bool(self.trades[reference]["trade_state"] == "CLOSED")

    def push(self, event: str, fact: dict[str, Any], *, key: str = API_V3_KEY) -> Pushed:
        nonce, bound = secrets.token_hex(6), "transaction"
        sealed = AESGCM(key.encode()).encrypt(
            nonce.encode(), json.dumps(fact).encode(), bound.encode()
        )
        envelope = {
            "id": str(new_id()),
            "create_time": datetime.now(UTC).isoformat(),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "told",
            "resource": {
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "nonce": nonce,
                "associated_data": bound,
                "original_type": "transaction",
            },
        }
        body = json.dumps(envelope).encode()
        return Pushed(body, {**_signed(body), "content-type": "application/json"})

    def unsigned(self, pushed: Pushed) -> Pushed:
        return Pushed(pushed.body, {"wechatpay-serial": KEY_ID})

    def forged(self, pushed: Pushed) -> Pushed:
        return Pushed(pushed.body, _signed(pushed.body, owner=_SOMEBODY))

    def old(self, pushed: Pushed) -> Pushed:
        return Pushed(pushed.body, _signed(pushed.body, at=time.time() - 302))


def _signed(body: bytes, *, owner: str = _PLATFORM, at: float | None = None) -> dict[str, str]:
    timestamp, nonce = str(int(time.time() if at is None else at)), secrets.token_hex(16)
    text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    return {
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": nonce,
        "wechatpay-serial": KEY_ID,
        "wechatpay-signature": rsa.sign(keys_of(owner).private, text),
    }


PEER = WeChatPeer
