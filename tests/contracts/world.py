"""One of each thing in the running set, so that calls made up by a fuzzer find something."""

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from sealing import new_key_pair
from tests.contracts.planting import plant
from tests.contracts.running import MERCHANT, RunningSet

SECONDS_MAX = 30.0
Known = Mapping[str, Mapping[str, str]]
"""Service -> name of a path parameter or of a body's field -> something that exists."""


def furnish(running: RunningSet, databases: Mapping[str, str], folder: Path) -> Known:
    """Makes the things through the API, and some of what only events make; deliveries are
    missing.
    """
    with httpx.Client(headers=running.headers, timeout=30) as http:
        made = _Maker(running.urls, http)
        pool_id, lot_id, import_id = made.stock()
        made.terms(lot_id)
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
        challenge_id = plant(databases, folder, order["order_id"])
        return {
            "inventory-vault": {
                "pool_id": pool_id,
                "lot_id": lot_id,
                "import_id": import_id,
                "reservation_id": held["id"],
                **made.redemption(made.unit(reservation["id"])),
                "alarm_id": made.alarm(),
                "entry_id": made.entry(),
            },
            "order": order,
            "risk": {
                "rule_id": made.rule(),
                "entry_id": made.listed(),
                "assessment_id": made.assessment(),
                "challenge_id": challenge_id,
                "review_id": made.first("risk", "/v1/reviews"),
                "backtest_id": made.backtest(),
            },
            "ledger": {
                **made.books(),
                **made.settled(),
                **made.prepaid(order["channel_id"]),
                **made.reconciled(),
                "lot_id": lot_id,
            },
            "fulfillment": {
                "supplier_id": made.supplier(),
                **made.procurement(pool_id),
                "webhook_endpoint_id": made.webhook_endpoint(),
                "fulfiller_id": made.fulfiller(),
                **made.wording(),
            },
        }


class _Maker:
    def __init__(self, urls: Mapping[str, str], http: httpx.Client) -> None:
        self._urls = urls
        self._http = http

    def post(self, service: str, path: str, body: Any, **more: Any) -> Any:
        answer = self._http.post(f"{self._urls[service]}{path}", json=body, **more)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def first(self, service: str, path: str) -> str:
        """The id of the first thing of a list, as soon as there is one."""
        found = self.awaited(path, lambda answer: bool(answer["items"]), service=service)
        return str(found["items"][0]["id"])

    def stock(self) -> tuple[str, str, str]:
        """Pool, lot, import."""
        pool = self.post("inventory-vault", "/v1/pools", {"name": "known", "unit_kind": "voucher"})
        codes = "\n".join(f"KNOWN-CODE-{number:04d}" for number in range(3_000))
        answer = self._http.post(
            f"{self._urls['inventory-vault']}/v1/pools/{pool['id']}/lots",
            files={"file": ("codes.txt", codes.encode())},
            data={"supplier": "S", "unit_cost": "100", "currency": "CNY"},
        )
        assert answer.status_code == 202, answer.text
        import_id = answer.json()["import_id"]
        receipt = self.awaited(
            f"/v1/imports/{import_id}", lambda answer: answer["status"] != "running"
        )
        assert receipt["status"] == "completed", receipt
        return pool["id"], receipt["lot_id"], import_id

    def awaited(
        self, path: str, is_there: Callable[[Any], bool], *, service: str = "inventory-vault"
    ) -> Any:
        """What a service answers as soon as it is as it should be."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            answer = self._http.get(f"{self._urls[service]}{path}")
            assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
            if is_there(answer.json()):
                return answer.json()
            assert time.monotonic() < deadline, f"{path} does not become what it should be"
            time.sleep(0.05)

    def terms(self, lot_id: str) -> None:
        """Makes the lot's codes vouchers of a worth that many calls can take from."""
        url = f"{self._urls['inventory-vault']}/v1/lots/{lot_id}/voucher-terms"
        body = {"face_value": {"amount": 1_000_000, "currency": "CNY"}}
        answer = self._http.put(url, json=body)
        assert answer.is_success, answer.text

    def redemption(self, unit_id: str) -> dict[str, str]:
        """A voucher of which a part is redeemed, by its id and by its code."""
        body = {
            "unit_id": unit_id,
            "amount": {"amount": 10, "currency": "CNY"},
            "merchant_reference": "known",
        }
        done = self.post("inventory-vault", "/v1/redemptions", body)
        return {"unit_id": unit_id, "redemption_id": done["id"], "code": "KNOWN-CODE-0000"}

    def alarm(self) -> str:
        """Somebody showed the code of a voucher that nobody bought."""
        body = {"code": "KNOWN-CODE-2999", "merchant_reference": "known-2"}
        shown = self._http.post(f"{self._urls['inventory-vault']}/v1/redemptions", json=body)
        assert shown.json()["code"] == "voucher_not_sold", shown.text
        raised = self.awaited("/v1/alarms", lambda answer: bool(answer["items"]))
        return str(raised["items"][0]["id"])

    def entry(self) -> str:
        """Of the audit log, once it has its place."""
        found = self.awaited("/v1/audit/entries", lambda answer: bool(answer["items"]))
        return str(found["items"][0]["entry_id"])

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
            **self.prices(),
            "product_id": product["id"],
            "order_id": order["id"],
            "channel_id": channel["id"],
            "pool_id": pool_id,
            "sku": "KNOWN",
            "currency": "CNY",
        }

    def supplier(self) -> str:
        """An account with a supplier that nothing is ever bought of."""
        body = {"name": "known", "connector": "demo", "secret": "nothing-secret"}
        return str(self.post("fulfillment", "/v1/suppliers", body)["id"])

    def procurement(self, pool_id: str) -> dict[str, str]:
        """An offer of that supplier, and a rule that rests."""
        offer = {
            "supplier": "known",
            "supplier_sku": "KNOWN-1",
            "sku": "KNOWN",
            "currency": "CNY",
            "cost_max_minor": 100,
        }
        rule = {
            "pool_id": pool_id,
            "currency": "CNY",
            "reorder_point": 1,
            "target_cover_days": 3,
            "quantity_max": 5,
            "is_active": False,
        }
        made = self.post("fulfillment", "/v1/supplier-products", offer)
        ruled = self.post("fulfillment", "/v1/procurement-rules", rule)
        return {"supplier_product_id": made["id"], "procurement_rule_id": ruled["id"]}

    def webhook_endpoint(self) -> str:
        """At a host that is not there: this set sends nothing."""
        body = {"url": "https://known.example/hooks"}
        return str(self.post("fulfillment", "/v1/webhook-endpoints", body)["id"])

    def fulfiller(self) -> str:
        """A system that nothing is ever asked of."""
        body = {"name": "known", "url": "https://known.example/fulfil"}
        return str(self.post("fulfillment", "/v1/fulfillers", body)["id"])

    def wording(self) -> dict[str, str]:
        """A template and a sender that nothing is ever sent by."""
        template = {"purpose": "restock", "language": "xx", "channel": "mail"}
        words = {"subject": "Known", "body": "{{ url }}"}
        made = self.post("fulfillment", "/v1/templates", {**template, **words})
        # Not of the channel that the example sets up: one of each may be enabled.
        settings = {"account_sid": "AC1", "from_number": "+15005550006"}
        account = {"sender": "twilio", "settings": settings, "secret": "nothing-secret"}
        sender = self.post("fulfillment", "/v1/senders", account)
        return {"template_id": made["id"], "sender_id": sender["id"]}

    def prices(self) -> dict[str, str]:
        """A price list, a promotion, a coupon and a batch of its codes; none of them for KNOWN."""
        ten = {"kind": "percent_off", "basis_points": 1000}
        prices = self.post(
            "order", "/v1/price-lists", {"name": "Known", "currency": "CNY", "active": False}
        )
        promotion = self.post(
            "order", "/v1/promotions", {"name": "Known", "effect": ten, "skus": ["OTHER"]}
        )
        coupon = self.post("order", "/v1/coupons", {"name": "Known", "effect": ten})
        batch = self.post("order", f"/v1/coupons/{coupon['id']}/codes", {"quantity": 3})
        return {
            "price_list_id": prices["id"],
            "promotion_id": promotion["id"],
            "coupon_id": coupon["id"],
            "batch_id": batch["id"],
        }

    def rule(self) -> str:
        rule = {"name": "Known", "condition": "purchases_by_ip_1h > 9", "action": "hold"}
        return str(self.post("risk", "/v1/rules", rule)["id"])

    def listed(self) -> str:
        """An entry of a list. The list's name is nobody's: every merchant may have such a list."""
        body = {"entries": [{"kind": "customer", "value": "known"}]}
        put = self.post("risk", "/v1/lists/watch/entries", body)
        return str(put["entries"][0]["id"])

    def assessment(self) -> str:
        ask = {
            "reference": "known",
            "customer": {"id": "known"},
            "total": {"amount": 1990, "currency": "CNY"},
            "lines": [{"sku": "KNOWN", "quantity": 1}],
            "record": True,
        }
        return str(self.post("risk", "/v1/assessments", ask)["id"])

    def backtest(self) -> str:
        """Of a draft; nobody works on it here."""
        body = {"condition": "amount_minor > 1", "action": "hold"}
        return str(self.post("risk", "/v1/backtests", body)["id"])

    def settled(self) -> dict[str, str]:
        """A settlement that is closed, with the payout it proposed."""
        return {
            "settlement_id": self.first("ledger", "/v1/settlements"),
            "payout_id": self.first("ledger", "/v1/payouts"),
        }

    def prepaid(self, channel_id: str) -> dict[str, str]:
        """A partner's balance with a hold on it."""
        path = "/v1/prepaid/KNOWN"
        url = f"{self._urls['ledger']}{path}"
        put = self._http.put(url, json={"currency": "CNY"})
        assert put.is_success, put.text
        money = {"currency": "CNY", "amount": 100, "reference": "known"}
        self.post("ledger", f"{path}/top-ups", money)
        hold = self.post("ledger", f"{path}/holds", {**money, "channel_id": channel_id})
        return {"partner": "KNOWN", "hold_id": hold["id"]}

    def reconciled(self) -> dict[str, str]:
        """A statement that lists what is missing here."""
        answer = self._http.post(
            f"{self._urls['ledger']}/v1/reconciliations",
            data={"provider": "known", "currency": "CNY", "time": "time"},
            files={"file": ("known.csv", b"reference,amount,time\nK,1,2026-11-22T12:00:00Z\n")},
        )
        assert answer.is_success, answer.text
        case_id = self.first("ledger", "/v1/reconciliation-cases")
        return {"reconciliation_id": answer.json()["id"], "case_id": case_id}

    def books(self) -> dict[str, str]:
        """An account, a transaction and a pending one."""
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
        pending = self.post(
            "ledger", "/v1/pending-transactions", {**body, "reference": str(uuid4())}
        )
        rule = {"merchant_id": str(MERCHANT), "currency": "CNY", "terms": {"basis_points": 500}}
        rule_id = self.post("ledger", "/v1/settlement-rules", rule)["id"]
        return {
            "rule_id": rule_id,
            "pending_id": pending["id"],
            "account_id": accounts[0]["id"],
            "transaction_id": posted["id"],
            "account": "bank:known",
            "currency": "CNY",
        }
