"""A Dujiao-Next site's upstream interface, as the project documents it."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlsplit

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

_STATES = {"processing": "fulfilling", "succeeded": "delivered", "failed": "canceled"}
_ERRORS = {
    "refused": ("bad_request", 400),
    "sku_unknown": ("sku_unavailable", 400),
    "balance_too_low": ("insufficient_balance", 402),
    "out_of_stock": ("insufficient_stock", 409),
    "not_authorized": ("invalid_api_key", 401),
    None: ("internal_error", 400),
}


class DujiaoPeer(Peer):
    tells_currency = True
    callback_window_seconds = 60
    refusals = frozenset(code for code in _ERRORS if code)
    answers = b'{"ok":true,"message":"received"}'
    base_path = "/api/v1/upstream"
    top_up_sku = "7:70"
    code_sku = "7:70"

    async def answer(self, request: Request) -> Reply:
        if not self._is_signed(request):
            self.unsigned += 1
            return _no("invalid_signature", 401)
        path = request.path.removeprefix(self.base_path)
        match request.method, path.split("/")[1:]:
            case "POST", ["ping"]:
                return json_reply({"ok": True, "balance": "1234.56", "currency": self.currency})
            case "GET", ["products"]:
                return self._products(int(request.query["page"]))
            case "GET", ["products", "7"]:
                return json_reply({"ok": True, "product": self._product(7)})
            case "POST", ["orders"]:
                return self._order(request.json())
            case "GET", ["orders", number]:
                return self._told(int(number))
        return _no("product_not_found", 404)

    def refuse(self, request: Request, code: str | None) -> Reply:
        return _no(*_ERRORS[code])

    def callback(self, order: Order, callback_url: str, at: float) -> tuple[dict[str, str], bytes]:
        told = {
            "event": "order.updated",
            "order_id": order.number,
            "order_no": f"DJ{order.number}",
            "downstream_order_no": order.reference,
            "status": _STATES[order.state],
            "timestamp": int(at),
        }
        body = json.dumps(told).encode()
        stamp = str(int(at))
        made = self._sign("POST", urlsplit(callback_url).path, stamp, body)
        return {
            "Dujiao-Next-Api-Key": self.account_id,
            "Dujiao-Next-Timestamp": stamp,
            "Dujiao-Next-Signature": made,
        }, body

    def _order(self, wanted: dict[str, Any]) -> Reply:
        form = wanted.get("manual_form_data") or {}
        order = self.buy(
            wanted["downstream_order_no"],
            str(wanted["sku_id"]),
            form.get("account", ""),
            wanted["quantity"],
        )
        if self.does is Does.OTHER_REFERENCE:
            return json_reply({**self._read(order), "downstream_order_no": OTHER_REFERENCE})
        if order.state == "failed":
            no = {"ok": False, "error_code": "payment_failed", "error_message": "no"}
            return json_reply({**self._read(order), **no})
        return json_reply(self._read(order))

    def _told(self, number: int) -> Reply:
        found = [order for order in self.orders.values() if order.number == number]
        if not found:
            return _no("order_not_found", 404)
        lines = "\n".join(f"{number}----{password}" for number, password in found[0].codes)
        delivered = {"type": "auto", "status": "delivered", "payload": lines or "充值完成"}
        return json_reply({**self._read(found[0]), "fulfillment": delivered})

    def _read(self, order: Order) -> dict[str, Any]:
        return {
            "ok": True,
            "order_id": order.number,
            "order_no": f"DJ{order.number}",
            "status": _STATES.get(order.state, "teleported"),
            "amount": f"{order.cost / 100:.2f}",
            "currency": "XTS" if self.does is Does.OTHER_CURRENCY else self.currency,
        }

    def _products(self, page: int) -> Reply:
        items = [self._product(7 if page == 1 else 8)] if page < 3 else []
        sizes = {"total": 2, "page": page, "page_size": 1}
        return json_reply({"ok": True, "items": items, **sizes})

    def _product(self, number: int) -> dict[str, Any]:
        sku = {
            "id": number * 10,
            "sku_code": "DEFAULT",
            "price_amount": f"{self.unit_cost / 100:.2f}",
            "stock_status": "in_stock",
            "stock_quantity": 100,
            "is_active": True,
        }
        title = {"zh-CN": "示例商品", "en": "Example"}
        return {"id": number, "title": title, "is_active": True, "skus": [sku]}

    def _is_signed(self, request: Request) -> bool:
        stamp = request.headers.get("dujiao-next-timestamp", "")
        made = self._sign(request.method, request.path, stamp, request.body)
        given = request.headers.get("dujiao-next-signature", "")
        return is_near(stamp, 60) and hmac.compare_digest(made, given)

    def _sign(self, method: str, path: str, stamp: str, body: bytes) -> str:
        text = f"{method}\n{path}\n{stamp}\n{hashlib.md5(body).hexdigest()}"  # noqa: S324
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class SplittingPeer(DujiaoPeer):
    """Whose lines are number and password."""

    tops_up = False

    @property
    def options(self) -> dict[str, Any]:
        return {"separator": "----"}


PEERS = {"lines": DujiaoPeer, "numbers and passwords": SplittingPeer}


def _no(code: str, status: int) -> Reply:
    return json_reply({"ok": False, "error_code": code, "error_message": code}, status)
