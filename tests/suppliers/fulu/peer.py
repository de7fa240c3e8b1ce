"""Fulu's gateway, as its SDKs' READMEs describe it."""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.suppliers.peer import OTHER_REFERENCE, Does, Order, Peer, Reply, Request

_STATES = {"processing": "processing", "succeeded": "success", "failed": "failed", "strange": "?"}
_CODES = {"out_of_stock": 2_001, "account_unknown": 2_002, None: 9_999, "not_authorized": 1_004}


def _compact(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


class FuluPeer(Peer):
    tells_expiry = True
    callback_window_seconds = None
    refusals = frozenset({"out_of_stock", "account_unknown", "not_authorized"})
    answers = b"success"
    top_up_sku = "10000001"
    code_sku = "10000001"

    @property
    def options(self) -> dict[str, Any]:
        said = {str(number): code for code, number in _CODES.items() if code}
        return {"definite": said, "not_found": ["3001"]}

    async def answer(self, request: Request) -> Reply:
        sent = request.json()
        given = sent.pop("sign", "")
        if request.method != "POST" or given != self._sign(_compact(sent)):
            self.unsigned += 1
            return self._reply(1_003, None)
        business = json.loads(sent["biz_content"])
        match sent["method"].removeprefix("fulu."):
            case "order.direct.add" | "order.card.add":
                return self._add(business)
            case "order.info.get":
                order = self.look_up(business["customer_order_no"])
                return self._reply(3_001, None) if order is None else self._told(order)
            case "goods.info.get":
                return self._reply(0, self._goods(business["product_id"]))
            case "goods.list.get":
                return self._reply(0, [self._goods(n) for n in (10_000_001, 10_000_002)])
            case "user.info.get":
                return self._reply(0, {"name": "对接专用", "balance": 1234.56, "is_open": 1})
        return self._reply(1_000, None)

    def refuse(self, request: Request, code: str | None) -> Reply:
        return self._reply(_CODES[code], None)

    def callback(self, order: Order, callback_url: str, at: float) -> tuple[dict[str, str], bytes]:
        told = {
            "order_id": f"F{order.number}",
            "charge_finish_time": "2026-01-01 00:00:00",
            "customer_order_no": order.reference,
            "order_status": _STATES[order.state],
            "recharge_description": "充值成功",
            "product_id": order.sku,
            "price": f"{order.cost / 100:.4f}",
            "buy_num": str(order.quantity),
            "operator_serial_number": "S1",
        }
        return {}, _compact({**told, "sign": self._sign(_compact(told))}).encode()

    def _add(self, business: dict[str, Any]) -> Reply:
        number = business["customer_order_no"]
        if number in self.orders and self.does is not Does.REFUSES:
            self.posts.append(number)
            return self._reply(2_200, None)  # taken already
        account = business.get("charge_account", "")
        product, quantity = str(business["product_id"]), business["buy_num"]
        return self._told(self.buy(number, product, account, quantity))

    def _told(self, order: Order) -> Reply:
        is_other = self.does is Does.OTHER_REFERENCE
        cards = [
            {
                "card_number": self._sealed(number),
                "card_pwd": self._sealed(password),
                "card_deadline": order.expires or "2099-12-31 00:00:00",
            }
            for number, password in order.codes
        ]
        has_cards = order.state == "succeeded" and not order.account
        return self._reply(
            0,
            {
                "order_id": f"F{order.number}",
                "customer_order_no": OTHER_REFERENCE if is_other else order.reference,
                "order_state": _STATES[order.state],
                "order_price": order.cost / 100,
                "buy_num": order.quantity,
                "charge_account": order.account or None,
                "product_id": int(order.sku),
                "product_name": "话费50元",
                "operator_serial_number": None,
                "cards": cards if has_cards else None,
            },
        )

    def _goods(self, product_id: int) -> dict[str, Any]:
        return {
            "product_id": product_id,
            "product_name": "话费50元",
            "purchase_price": self.unit_cost / 100,
            "stock_status": "充足",
        }

    def _reply(self, code: int, result: Any) -> Reply:
        text = "" if result is None else _compact(result)
        message = "接口调用成功" if code == 0 else "失败"
        answer = {"code": code, "message": message, "result": text, "sign": self._sign(text)}
        return Reply(200, _compact(answer).encode())

    def _sign(self, text: str) -> str:
        return hashlib.md5(("".join(sorted(text)) + self.secret).encode()).hexdigest()  # noqa: S324

    def _sealed(self, text: str) -> str:
        plain = text.encode()
        left = 16 - len(plain) % 16
        sealer = Cipher(algorithms.AES(self.secret.encode()), modes.ECB()).encryptor()  # noqa: S305
        return base64.b64encode(sealer.update(plain + bytes([left]) * left)).decode()


PEERS = {"gateway": FuluPeer}
