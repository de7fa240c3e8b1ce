"""Reloadly's airtime and gift cards, as its OpenAPI documents describe them."""

import hashlib
import hmac
import json
from typing import Any

from tests.suppliers.peer import (
    OTHER_REFERENCE,
    Does,
    Order,
    Peer,
    Refused,
    Reply,
    Request,
    json_reply,
)

_STATES = {"processing": "PROCESSING", "succeeded": "SUCCESSFUL", "failed": "REFUNDED"}
_ERRORS = {
    "account_unknown": ("INVALID_RECIPIENT_PHONE", 400),
    "balance_too_low": ("INSUFFICIENT_BALANCE", 400),
    "not_authorized": ("INVALID_TOKEN", 401),
    None: ("SOMETHING_ELSE", 400),
}


class ReloadlyPeer(Peer):
    tells_currency = True
    many_at_once = False
    refusals = frozenset(code for code in _ERRORS if code)
    callback_secret = "webhook-secret-0123"
    currency = "NGN"
    product = "airtime"
    tokens = 0

    @property
    def options(self) -> dict[str, Any]:
        return {
            "product": self.product,
            "auth_url": f"{self.url}/oauth/token",
            "audience": "https://topups.reloadly.com",
            "definite": {"INSUFFICIENT_BALANCE": "balance_too_low"},
        }

    async def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/token":
            return self._token(request.json())
        if request.headers.get("authorization") != f"Bearer token-{self.tokens}":
            self.unsigned += 1
            return _no("INVALID_TOKEN", 401)
        if request.path == "/accounts/balance":
            return json_reply({"balance": 1234.56, "currencyCode": self.currency})
        return self.work(request)

    def work(self, request: Request) -> Reply:
        raise NotImplementedError

    def refuse(self, request: Request, code: str | None) -> Reply:
        return _no(*_ERRORS[code])

    def callback(self, order: Order, callback_url: str, at: float) -> tuple[dict[str, str], bytes]:
        told = {
            "type": f"{self.product}_transaction.status",
            "data": {
                "transactionId": order.number,
                "customIdentifier": order.reference,
                "status": _STATES[order.state],
            },
        }
        body, stamp = json.dumps(told).encode(), str(int(at))
        made = hmac.new(
            self.callback_secret.encode(), body + b":" + stamp.encode(), hashlib.sha256
        ).hexdigest()
        return {"X-Reloadly-Signature": made, "X-Reloadly-Request-Timestamp": stamp}, body

    def said(self, order: Order) -> dict[str, Any]:
        is_other = self.does is Does.OTHER_REFERENCE
        return {
            "transactionId": order.number,
            "status": _STATES.get(order.state, "TELEPORTED"),
            "customIdentifier": OTHER_REFERENCE if is_other else order.reference,
        }

    @property
    def told_currency(self) -> str:
        return "XTS" if self.does is Does.OTHER_CURRENCY else self.currency

    def bought(self, wanted: dict[str, Any], account: str, quantity: int) -> Order:
        reference = wanted["customIdentifier"]
        if reference in self.orders and self.does is not Does.REFUSES:
            self.posts.append(reference)
            raise Refused(None)  # taken for ever
        return self.buy(reference, "X", account, quantity)

    def _token(self, asked: dict[str, Any]) -> Reply:
        if (asked["client_id"], asked["client_secret"]) != (self.account_id, self.secret):
            self.unsigned += 1
            return json_reply({"message": "Access Denied"}, 401)
        assert asked["grant_type"] == "client_credentials"
        assert asked["audience"] == "https://topups.reloadly.com"
        type(self).tokens += 1
        return json_reply({"access_token": f"token-{self.tokens}", "expires_in": 5_184_000})


class AirtimePeer(ReloadlyPeer):
    sells_codes = False
    top_up_sku = "NG:341:48.5"

    def work(self, request: Request) -> Reply:
        match request.method, request.path.split("/")[1:]:
            case "POST", ["topups"]:
                wanted = request.json()
                assert wanted["recipientPhone"]["countryCode"] == "NG"
                assert wanted["useLocalAmount"] is False
                order = self.bought(wanted, wanted["recipientPhone"]["number"], 1)
                return json_reply(self._told(order))
            case "GET", ["topups", "reports", "transactions"]:
                found = self.look_up(request.query["customIdentifier"])
                return json_reply({"content": [] if found is None else [self._told(found)]})
            case "GET", ["operators"]:
                return json_reply({"content": [self._operator()]})
            case "GET", ["operators", "341"]:
                return json_reply(self._operator())
        return _no("PATH_UNKNOWN", 404)

    def _told(self, order: Order) -> dict[str, Any]:
        return {
            **self.said(order),
            "requestedAmount": order.cost / 100 + 1.5,
            "requestedAmountCurrencyCode": self.told_currency,
            "discount": 1.5,
            "discountCurrencyCode": self.told_currency,
            "pinDetail": None,
        }

    def _operator(self) -> dict[str, Any]:
        return {
            "operatorId": 341,
            "name": "MTN Nigeria",
            "senderCurrencyCode": self.currency,
            "fixedAmounts": [48.5, 100],
            "fx": {"rate": 1.0, "currencyCode": "NGN"},
            "country": {"isoName": "NG", "name": "Nigeria"},
        }


class GiftCardPeer(ReloadlyPeer):
    tops_up = False
    many_at_once = True
    product = "giftcards"
    code_sku = "5:25"

    def work(self, request: Request) -> Reply:
        match request.method, request.path.split("/")[1:]:
            case "POST", ["orders"]:
                wanted = request.json()
                return json_reply(self._told(self.bought(wanted, "", wanted["quantity"])))
            case "GET", ["reports", "transactions"]:
                found = self.look_up(request.query["customIdentifier"])
                return json_reply([] if found is None else [self._told(found)])
            case "GET", ["orders", "transactions", number, "cards"]:
                order = next(it for it in self.orders.values() if str(it.number) == number)
                return json_reply([{"cardNumber": no, "pinCode": pin} for no, pin in order.codes])
            case "GET", ["products"]:
                return json_reply({"content": [self._product()]})
            case "GET", ["products", "5"]:
                return json_reply(self._product())
        return _no("PATH_UNKNOWN", 404)

    def _told(self, order: Order) -> dict[str, Any]:
        cost = {"amount": order.cost / 100, "currencyCode": self.told_currency, "fee": 3.5}
        return {**self.said(order), **cost}

    def _product(self) -> dict[str, Any]:
        return {
            "productId": 5,
            "productName": "Amazon US",
            "senderFee": 3.5,
            "denominationType": "FIXED",
            "senderCurrencyCode": self.currency,
            "fixedRecipientToSenderDenominationsMap": {"25.00": (self.unit_cost - 350) / 100},
        }


PEERS = {"airtime": AirtimePeer, "gift cards": GiftCardPeer}


def _no(code: str, status: int) -> Reply:
    return json_reply({"message": "no", "errorCode": code, "details": []}, status)
