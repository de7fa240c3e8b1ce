"""One of each thing in the running set, so that calls made up by a fuzzer find something."""

import base64
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

from sealing import new_key_pair
from tests.contracts.running import RunningSet

IMPORT_SECONDS_MAX = 30.0
Known = Mapping[str, Mapping[str, str]]
"""Service -> name of a path parameter or of a body's field -> something that exists."""


def furnish(running: RunningSet) -> Known:
    """Makes the things through the API; what only events make (deliveries, reviews) is missing."""
    with httpx.Client(headers=running.headers, timeout=30) as http:
        made = _Maker(running.urls, http)
        pool_id, lot_id, import_id = made.stock()
        reservation = made.post(
            "inventory-vault",
            "/v1/reservations",
            {"reference": "known", "lines": [{"pool_id": pool_id, "quantity": 2}]},
        )
        made.unit(reservation["id"])
        held = made.post(
            "inventory-vault",
            "/v1/reservations",
            {"reference": "known-2", "lines": [{"pool_id": pool_id, "quantity": 1}]},
        )
        order = made.order(pool_id)
        return {
            "inventory-vault": {
                "pool_id": pool_id,
                "lot_id": lot_id,
                "import_id": import_id,
                "reservation_id": held["id"],
                "unit_id": made.unit(reservation["id"]),
            },
            "order": order,
            "risk": {"rule_id": made.rule()},
            "ledger": made.books(),
            "fulfillment": {},
        }


class _Maker:
    def __init__(self, urls: Mapping[str, str], http: httpx.Client) -> None:
        self._urls = urls
        self._http = http

    def post(self, service: str, path: str, body: Any, **more: Any) -> Any:
        answer = self._http.post(f"{self._urls[service]}{path}", json=body, **more)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def stock(self) -> tuple[str, str, str]:
        """Pool, lot, import."""
        pool = self.post("inventory-vault", "/v1/pools", {"name": "known", "unit_kind": "code"})
        codes = "\n".join(f"KNOWN-CODE-{number:04d}" for number in range(3_000))
        answer = self._http.post(
            f"{self._urls['inventory-vault']}/v1/pools/{pool['id']}/lots",
            files={"file": ("codes.txt", codes.encode())},
            data={"supplier": "S", "unit_cost": "100", "currency": "CNY"},
        )
        assert answer.status_code == 202, answer.text
        import_id = answer.json()["import_id"]
        deadline = time.monotonic() + IMPORT_SECONDS_MAX
        receipt: dict[str, Any] = {"status": "running"}
        while receipt["status"] == "running":
            assert time.monotonic() < deadline, "the import does not end"
            time.sleep(0.05)
            url = f"{self._urls['inventory-vault']}/v1/imports/{import_id}"
            receipt = self._http.get(url).json()
        assert receipt["status"] == "completed", receipt
        return pool["id"], receipt["lot_id"], import_id

    def unit(self, reservation_id: str) -> str:
        """A sold unit, boxed for a key of ours; the same at every call."""
        key = base64.b64encode(new_key_pair().public_key).decode()
        body = {"recipient_public_key": key}
        claim = self.post("inventory-vault", f"/v1/reservations/{reservation_id}/claim", body)
        return str(claim["units"][0]["unit_id"])

    def order(self, pool_id: str) -> dict[str, str]:
        """Product, channel and a placed order."""
        product = self.post(
            "order",
            "/v1/products",
            {
                "sku": "KNOWN",
                "name": "Known",
                "fulfillment": {"kind": "pool", "pool_id": pool_id},
                "price": {"amount": 1990, "currency": "CNY"},
            },
        )
        channel = self.post("order", "/v1/channels", {"name": "Known", "trusted": True})
        order = self.post(
            "order",
            "/v1/orders",
            {
                "channel_id": channel["id"],
                "reference": "known",
                "customer": {"id": "b"},
                "lines": [{"sku": "KNOWN", "quantity": 1}],
            },
        )
        return {
            "product_id": product["id"],
            "order_id": order["id"],
            "channel_id": channel["id"],
            "pool_id": pool_id,
            "sku": "KNOWN",
            "currency": "CNY",
        }

    def rule(self) -> str:
        rule = {"name": "Known", "condition": "purchases_by_ip_1h > 9", "action": "hold"}
        return str(self.post("risk", "/v1/rules", rule)["id"])

    def books(self) -> dict[str, str]:
        """An account and a transaction."""
        accounts = [
            self.post("ledger", "/v1/accounts", {"code": code, "currency": "CNY", "kind": kind})
            for code, kind in (("bank:known", "asset"), ("capital:known", "equity"))
        ]
        amount = {"amount": 100, "currency": "CNY"}
        postings = [
            {"account": "bank:known", "side": "debit", "amount": amount},
            {"account": "capital:known", "side": "credit", "amount": amount},
        ]
        body = {"description": "known", "reference": str(uuid4()), "postings": postings}
        posted = self.post("ledger", "/v1/transactions", body)
        return {
            "account_id": accounts[0]["id"],
            "transaction_id": posted["id"],
            "account": "bank:known",
            "currency": "CNY",
        }
