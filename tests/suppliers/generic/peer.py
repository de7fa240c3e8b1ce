"""Suppliers for the generic connector: one of our own protocol, and small ones that an account's
options describe."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.suppliers.peer import (
    OTHER_REFERENCE,
    Does,
    Order,
    Peer,
    Reply,
    Request,
    is_near,
    json_reply,
)

_DEFINITE = frozenset(
    {
        "account_unknown",
        "account_blocked",
        "balance_too_low",
        "cost_too_high",
        "not_authorized",
        "out_of_stock",
        "quantity_not_allowed",
        "refused",
        "sku_unknown",
    }
)


class OwnPeer(Peer):
    """Written from the README's words."""

    tells_currency = True
    tells_expiry = True
    refusals = _DEFINITE
    answers = b'{"ok":true}'

    async def answer(self, request: Request) -> Reply:
        query = f"?{urlencode(request.query)}" if request.query else ""
        if not self._is_signed(request, request.path + query):
            self.unsigned += 1
            return self.refuse(request, "not_authorized")
        match request.method, request.path.split("/")[1:]:
            case "POST", ["purchases"]:
                wanted = request.json()
                order = self.buy(
                    wanted["reference"],
                    wanted["sku"],
                    wanted["account"],
                    wanted["quantity"],
                    wanted["cost_max"]["amount"],
                )
                return json_reply(self._told(order))
            case "GET", ["purchases", reference]:
                found = self.look_up(reference)
                if found is None:
                    no = {"reference": reference, "status": "failed", "code": "not_found"}
                    return json_reply(no, 404)
                return json_reply(self._told(found))
            case "GET", ["balance"]:
                return json_reply({"balance": {"amount": 123_456, "currency": self.currency}})
            case "GET", ["articles"]:
                return self._articles(request.query.get("cursor"))
        return Reply(404, b"")

    def refuse(self, request: Request, code: str | None) -> Reply:
        is_post = request.method == "POST"
        reference = request.json()["reference"] if is_post else request.path.rpartition("/")[2]
        no = {"reference": reference, "status": "failed", "code": code or "computer_says_no"}
        return json_reply(no, 401 if code == "not_authorized" else 200)

    def callback(self, order: Order, callback_url: str, at: float) -> tuple[dict[str, str], bytes]:
        body, stamp = json.dumps(self._told(order)).encode(), str(int(at))
        made = self._sign(stamp, "POST", urlsplit(callback_url).path, body)
        return {"Lockstock-Timestamp": stamp, "Lockstock-Signature": made}, body

    def _told(self, order: Order) -> dict[str, Any]:
        is_other = self.does is Does.OTHER_REFERENCE
        told: dict[str, Any] = {
            "reference": OTHER_REFERENCE if is_other else order.reference,
            "status": "teleported" if order.state == "strange" else order.state,
            "supplier_reference": f"OWN-{order.number}",
        }
        if order.state == "failed":
            told["code"] = "refused"
        if order.state == "succeeded":
            currency = "XTS" if self.does is Does.OTHER_CURRENCY else self.currency
            told["cost"] = {"amount": order.cost, "currency": currency}
            ends = "2020-01-01T00:00:00Z" if order.expires else None
            told["codes"] = [
                {"fields": {"number": number, "password": password}, "expires_at": ends}
                for number, password in order.codes
            ]
        return told

    def _articles(self, cursor: str | None) -> Reply:
        cost = {"amount": self.unit_cost, "currency": self.currency}
        article = {"sku": self.top_up_sku, "name": "Phone 50", "cost": cost, "stock": 7}
        other = {"sku": "OTHER", "cost": cost}
        if cursor is None:
            return json_reply({"articles": [other], "next_cursor": "more & more"})
        assert cursor == "more & more"
        return json_reply({"articles": [article], "next_cursor": None})

    def _is_signed(self, request: Request, path: str) -> bool:
        stamp = request.headers.get("lockstock-timestamp", "")
        path = path.replace("+", "%20")
        made = self._sign(stamp, request.method, path, request.body)
        given = request.headers.get("lockstock-signature", "")
        return is_near(stamp, 300) and hmac.compare_digest(made, given)

    def _sign(self, stamp: str, method: str, path: str, body: bytes) -> str:
        text = f"{stamp}.{method}.{path}.".encode() + body
        return hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()


class FormPeer(Peer):
    """A small Chinese supplier: forms, MD5 over wrapped pairs, yuan, the limit in the order."""

    tells_expiry = True
    refusals = frozenset({"out_of_stock", "account_unknown", "balance_too_low", "cost_too_high"})
    answers = b"ok"
    _states: Mapping[str, int] = {
        "processing": 101,
        "succeeded": 200,
        "failed": 500,
        "strange": 501,
    }
    _errors: Mapping[str | None, str] = {
        "out_of_stock": "1001",
        "account_unknown": "1002",
        "balance_too_low": "1003",
        "cost_too_high": "1004",
        "not_authorized": "1009",
        None: "7777",
    }

    @property
    def options(self) -> dict[str, Any]:
        asked = {"path": "/api/order", "encoding": "form", "fields": {"outer_id": "{reference}"}}
        shop = {"encoding": "form", "fields": {"shop": "{shop}", "page": "{cursor}"}}
        return {
            "currency": "CNY",
            "idempotent": True,
            "references": "plain",
            "signing": {
                "template": "{secret}{pairs}{secret}",
                "digest": "md5",
                "output": "hex-upper",
                "place": {"field": "sign"},
            },
            "stamp": {"place": {"field": "timestamp"}},
            "purchase": {
                "path": "/api/buy",
                "encoding": "form",
                "fields": {
                    "shop": "{shop}",
                    "product_id": "{sku}",
                    "quantity": "{quantity}",
                    "recharge_account": "{account}",
                    "outer_id": "{reference}",
                    "safe_cost": "{cost_max}",
                    "notify_url": "{callback_url}",
                },
            },
            "query": asked,
            "balance": {"call": {"path": "/api/user", **shop}, "at": "/data/balance"},
            "articles": {
                "call": {"path": "/api/goods", **shop},
                "at": "/data/list",
                "sku": "/id",
                "name": "/title",
                "cost": "/price",
                "stock": "/stock",
            },
            "answer": {
                "ok": {"at": "/code", "any_of": ["0"]},
                "error": "/code",
                "definite": {code: ours for ours, code in self._errors.items() if ours},
                "not_found": ["4004"],
                "reference": "/data/outer_id",
                "status": "/data/status",
                "statuses": {
                    "100": "accepted",
                    "101": "processing",
                    "200": "succeeded",
                    "500": "failed",
                },
                "cost": "/data/cost",
                "supplier_reference": "/data/order_id",
                "codes": {
                    "at": "/data/cards",
                    "fields": {"number": "/card_no", "password": "/card_password"},
                    "expires_at": "/expired_at",
                },
            },
            "callback": {
                "encoding": "form",
                "signing": {
                    "template": "{secret}{pairs}{secret}",
                    "digest": "md5",
                    "output": "hex-upper",
                    "place": {"field": "sign"},
                },
                "stamp": {"place": {"field": "timestamp"}},
                "reference": "/outer_id",
                "status": "/status",
                "supplier_reference": "/order_id",
                "reply": "ok",
            },
        }

    async def answer(self, request: Request) -> Reply:
        sent = request.form()
        given = sent.pop("sign", "")
        if given != self._sign(sent) or not is_near(sent["timestamp"], 300):
            self.unsigned += 1
            return json_reply({"code": 1010, "msg": "sign"})
        match request.path:
            case "/api/buy":
                assert sent["notify_url"].startswith("https://")
                return self._told(
                    self.buy(
                        sent["outer_id"],
                        sent["product_id"],
                        sent["recharge_account"],
                        int(sent["quantity"]),
                        round(float(sent["safe_cost"]) * 100),
                    )
                )
            case "/api/order":
                found = self.look_up(sent["outer_id"])
                return json_reply({"code": 4004}) if found is None else self._told(found)
            case "/api/user":
                return json_reply({"code": 0, "data": {"balance": "1234.56"}})
            case "/api/goods":
                return self._goods(int(sent["page"]))
        return Reply(404, b"")

    def refuse(self, request: Request, code: str | None) -> Reply:
        return json_reply({"code": int(self._errors[code]), "msg": "no"})

    def callback(self, order: Order, callback_url: str, at: float) -> tuple[dict[str, str], bytes]:
        told = {
            "outer_id": order.reference,
            "order_id": f"S{order.number}",
            "status": str(self._states[order.state]),
            "timestamp": str(int(at)),
        }
        return {}, urlencode({**told, "sign": self._sign(told)}).encode()

    def _told(self, order: Order) -> Reply:
        cards = [
            {
                "card_no": number,
                "card_password": password,
                "expired_at": order.expires or "2099-12-31",
            }
            for number, password in order.codes
        ]
        data = {
            "order_id": f"S{order.number}",
            "outer_id": OTHER_REFERENCE if self.does is Does.OTHER_REFERENCE else order.reference,
            "status": self._states[order.state],
            "cost": f"{order.cost / 100:.2f}",
            "cards": cards,
        }
        return json_reply({"code": 0, "msg": "ok", "data": data})

    def _goods(self, page: int) -> Reply:
        price = f"{self.unit_cost / 100:.2f}"
        goods = [
            {"id": self.top_up_sku, "title": "话费", "price": price, "stock": -1},
            {"id": "OTHER", "title": "x", "price": "no price", "stock": 3},
        ]
        return json_reply({"code": 0, "data": {"list": goods if page == 1 else []}})

    def _sign(self, fields: Mapping[str, str]) -> str:
        text = "".join(name + value for name, value in sorted(fields.items()))
        made = hashlib.md5((self.secret + text + self.secret).encode())  # noqa: S324
        return made.hexdigest().upper()


class LinesPeer(Peer):
    """JSON, an HMAC over lines in a header, whole cents, and a price that must be asked for."""

    tells_currency = True
    sells_codes = False
    many_at_once = False
    lists_articles = False
    callback_window_seconds = None
    refusals = frozenset({"sku_unknown"})
    answers = b'{"code":0}'
    base_path = "/open/v2"

    @property
    def options(self) -> dict[str, Any]:
        price = {"path": "/goods/{sku}", "method": "GET", "encoding": "query"}
        return {
            "currency": "CNY",
            "money": "minor",
            "idempotent": True,
            "signing": {
                "template": "{method}\n{path}\n{ts}\n{body_md5}",
                "digest": "hmac-sha256",
                "output": "base64",
                "place": {"header": "X-Sign"},
                "prefix": "v1 ",
            },
            "stamp": {"place": {"header": "X-Time"}, "written": "milliseconds"},
            "price": {"call": price, "at": "/price", "is": "unit"},
            "purchase": {
                "path": "/orders",
                "headers": {"X-Shop": "{shop}"},
                "fields": {
                    "goods": "{sku}",
                    "count": "{quantity}",
                    "to": "{account}",
                    "ref": "{reference}",
                },
                "numbers": ["count"],
            },
            "query": {"method": "GET", "encoding": "query", "path": "/orders/{reference}"},
            "balance": {
                "call": {"method": "GET", "encoding": "query", "path": "/balance"},
                "at": "/balance",
            },
            "answer": {
                "error": "/error",
                "definite": {"NO_SUCH_GOODS": "sku_unknown"},
                "not_found": ["NO_SUCH_ORDER"],
                "reference": "/ref",
                "status": "/state",
                "statuses": {"new": "accepted", "ok": "succeeded", "void": "failed"},
                "cost": "/paid",
                "currency": "/currency",
            },
            "callback": {
                "signing": {
                    "template": "{body}{secret}",
                    "digest": "sha256",
                    "place": {"field": "sign"},
                },
                "reference": "/ref",
                "status": "/state",
                "reply": '{"code":0}',
                "reply_type": "application/json",
            },
        }

    async def answer(self, request: Request) -> Reply:
        if not self._is_signed(request):
            self.unsigned += 1
            return json_reply({"error": "SIGN"}, 403)
        match request.method, request.path.removeprefix(self.base_path).split("/")[1:]:
            case "GET", ["goods", _]:
                return json_reply({"price": self.unit_cost})
            case "POST", ["orders"]:
                sent = request.json()
                assert sent["count"] == 1
                return self._told(self.buy(sent["ref"], sent["goods"], sent["to"], sent["count"]))
            case "GET", ["orders", reference]:
                found = self.look_up(reference)
                no = json_reply({"error": "NO_SUCH_ORDER"}, 404)
                return no if found is None else self._told(found)
            case "GET", ["balance"]:
                return json_reply({"balance": 123_456})
        return Reply(404, b"")

    def refuse(self, request: Request, code: str | None) -> Reply:
        said = {"sku_unknown": "NO_SUCH_GOODS", "not_authorized": "SIGN"}.get(code or "", "ODD")
        return json_reply({"error": said}, 400)

    def callback(self, order: Order, callback_url: str, at: float) -> tuple[dict[str, str], bytes]:
        told = {"ref": order.reference, "state": self._state(order), "名": "充值"}
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        sign = hashlib.sha256((text + self.secret).encode()).hexdigest()
        return {}, json.dumps({**told, "sign": sign}, ensure_ascii=False).encode()

    def _told(self, order: Order) -> Reply:
        is_other = self.does is Does.OTHER_REFERENCE
        return json_reply(
            {
                "ref": OTHER_REFERENCE if is_other else order.reference,
                "state": self._state(order),
                "paid": order.cost,
                "currency": "XTS" if self.does is Does.OTHER_CURRENCY else "CNY",
            }
        )

    def _state(self, order: Order) -> str:
        states = {"processing": "new", "succeeded": "ok", "failed": "void"}
        return states.get(order.state, "gone")

    def _is_signed(self, request: Request) -> bool:
        stamp = request.headers.get("x-time", "")
        body_md5 = hashlib.md5(request.body).hexdigest()  # noqa: S324
        text = f"{request.method}\n{request.path}\n{stamp}\n{body_md5}"
        made = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()
        is_fresh = stamp.isdigit() and abs(time.time() - int(stamp) / 1_000) < 300
        return is_fresh and request.headers.get("x-sign") == "v1 " + base64.b64encode(made).decode()


PEERS = {"own protocol": OwnPeer, "forms and MD5": FormPeer, "lines and HMAC": LinesPeer}
