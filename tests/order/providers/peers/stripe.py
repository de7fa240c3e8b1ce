"""Stripe as far as a seller's checkout sees it."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kit.ids import new_id
from tests.order.providers.peers.base import Pushed
from tests.order.providers.peers.serving import MoodyPeer

API_KEY = "sk_test_51abc"
WEBHOOK_SECRET = "whsec_test_secret"


class StripePeer(MoodyPeer):
    """`sessions` by id; `refunds` by id; POSTs are remembered by their idempotency key."""

    name = "stripe"
    method = "checkout"
    currency = "CNY"
    refund_pending = "pending"
    finds_refusals = False
    free_text = frozenset[str]()

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        self.moods, self.asked = [], []
        self.sessions: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.refund_state = "succeeded"
        self._answers: dict[str, tuple[bytes, Response]] = {}

    @property
    def account(self) -> dict[str, Any]:
        return {
            "settings": {},
            "secrets": {"api_key": API_KEY, "webhook_secrets": WEBHOOK_SECRET},
        }

    def forget_keys(self) -> None:
        """As after a day."""
        self._answers.clear()

    async def serve(self, request: Request, body: bytes) -> Response:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_api_key")
        if request.method == "GET":
            return self._read(request)
        key = request.headers.get("idempotency-key", "")
        if not key:
            return _error(400, "test_peer_wants_idempotency_key")
        if key in self._answers:
            first, answer = self._answers[key]
            return answer if first == body else _error(400, "idempotency_error")
        answer = self._write(request.url.path, dict(parse_qsl(body.decode())))
        if answer.status_code < 500:
            self._answers[key] = (body, answer)
        return answer

    def _read(self, request: Request) -> Response:
        path = request.url.path
        if path == "/v1/refunds":
            intent = request.query_params["payment_intent"]
            data = [each for each in self.refunds.values() if each["payment_intent"] == intent]
            return JSONResponse(_page(data, request.query_params))
        session = self.sessions.get(path.removeprefix("/v1/checkout/sessions/"))
        return JSONResponse(session) if session else _error(404, "resource_missing")

    def _write(self, path: str, fields: dict[str, str]) -> Response:
        if path == "/v1/checkout/sessions":
            return self._open(fields)
        if path == "/v1/refunds":
            return self._refund(fields)
        session = self.sessions[path.split("/")[-2]]
        if session["status"] != "open":
            return _error(400, "session_not_open")
        session["status"] = "expired"
        return JSONResponse(session)

    def _open(self, fields: dict[str, str]) -> Response:
        amount = int(fields["line_items[0][price_data][unit_amount]"])
        if amount < 50:
            return _error(400, "amount_too_small")
        session_id = f"cs_test_{new_id().hex}"
        self.sessions[session_id] = {
            "id": session_id,
            "object": "checkout.session",
            "url": f"https://checkout.stripe.example/c/pay/{session_id}",
            "status": "open",
            "payment_status": "unpaid",
            "client_reference_id": fields["client_reference_id"],
            "amount_total": amount,
            "currency": fields["line_items[0][price_data][currency]"],
            "payment_intent": None,
        }
        return JSONResponse(self.sessions[session_id])

    def _refund(self, fields: dict[str, str]) -> Response:
        refund: dict[str, Any] = {
            "id": f"re_{new_id().hex}",
            "object": "refund",
            "status": self.refund_state,
            "payment_intent": fields["payment_intent"],
            "amount": int(fields["amount"]),
            "currency": "cny",
            "metadata": {"lockstock_refund": fields["metadata[lockstock_refund]"]},
        }
        self.refunds[refund["id"]] = refund
        return JSONResponse(refund)

    def add_refunds(self, payment_intent: str, number: int) -> None:
        """Of other units of the same payment."""
        for _ in range(number):
            self._refund(
                {
                    "payment_intent": payment_intent,
                    "amount": "1",
                    "metadata[lockstock_refund]": new_id().hex,
                }
            )

    # What happens at the provider's own pages, and what it then sends.

    def session_of(self, reference: str) -> dict[str, Any]:
        return next(
            each for each in self.sessions.values() if each["client_reference_id"] == reference
        )

    def pay(self, reference: str, *, amount: int | None = None) -> Pushed:
        """The buyer pays; the callback that tells it."""
        session = self.session_of(reference)
        session |= {
            "status": "complete",
            "payment_status": "paid",
            "payment_intent": session["payment_intent"] or f"pi_{new_id().hex}",
            "amount_total": session["amount_total"] if amount is None else amount,
        }
        return self.push("checkout.session.completed", session)

    def fail(self, reference: str) -> Pushed:
        session = self.session_of(reference)
        session["status"] = "expired"
        return self.push("checkout.session.expired", session)

    def refuse(self, reference: str) -> Pushed:
        """By a method that takes days."""
        session = self.session_of(reference)
        session["status"] = "complete"
        return self.push("checkout.session.async_payment_failed", session)

    def decline(self, reference: str, *, method: str = "card") -> Pushed:
        """A try with one card; the session waits for another."""
        intent = {
            "id": f"pi_{new_id().hex}",
            "object": "payment_intent",
            "metadata": {"lockstock_checkout": reference},
            "last_payment_error": {
                "code": "card_declined",
                "decline_code": "insufficient_funds",
                "payment_method": {"type": method},
            },
        }
        return self.push("payment_intent.payment_failed", intent)

    def lie(self, reference: str, *, amount: int) -> Pushed:
        """A callback of a payment that the provider's own books do not show."""
        told = {
            **self.session_of(reference),
            "payment_status": "paid",
            "payment_intent": f"pi_{new_id().hex}",
            "amount_total": amount,
        }
        return self.push("checkout.session.completed", told)

    def stray(self) -> Pushed:
        """Genuine, and about something that was not begun here."""
        session = {
            "payment_status": "paid",
            "payment_intent": "pi_other",
            "amount_total": 100,
            "currency": "cny",
            "client_reference_id": new_id().hex,
        }
        return self.push("checkout.session.completed", session)

    def refunded(self, refund_id: str) -> Pushed:
        refund = next(
            each
            for each in self.refunds.values()
            if each["metadata"]["lockstock_refund"] == refund_id
        )
        refund["status"] = "succeeded"
        return self.push("refund.updated", refund)

    def foreign(self, reference: str) -> Pushed:
        """Signed well, and meant for live mode."""
        session = {**self.session_of(reference), "payment_status": "paid"}
        return self.push("checkout.session.completed", session, livemode=True)

    def push(
        self,
        kind: str,
        thing: dict[str, Any],
        *,
        secret: str = WEBHOOK_SECRET,
        at: float | None = None,
        **more: Any,
    ) -> Pushed:
        event = {
            "id": f"evt_{new_id().hex}",
            "object": "event",
            "type": kind,
            "livemode": False,
            "data": {"object": thing},
            **more,
        }
        return self.signed(json.dumps(event).encode(), secret=secret, at=at)

    def signed(
        self, body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None
    ) -> Pushed:
        timestamp = str(int(time.time() if at is None else at))
        signature = hmac.new(
            secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256
        ).hexdigest()
        headers = {
            "stripe-signature": f"t={timestamp},v1={signature}",
            "content-type": "application/json",
        }
        return Pushed(body, headers)

    def unsigned(self, pushed: Pushed) -> Pushed:
        return Pushed(pushed.body, {})

    def visit(self, _: str) -> None:
        return None

    def is_closed(self, reference: str) -> bool:
        return bool(self.session_of(reference)["status"] == "expired")

    def forged(self, pushed: Pushed) -> Pushed:
        """The same words under somebody else's signature."""
        return self.signed(pushed.body, secret="whsec_of_somebody")

    def old(self, pushed: Pushed) -> Pushed:
        """The same words as they were signed long ago."""
        return self.signed(pushed.body, at=time.time() - 301)


PEER = StripePeer


def _page(rows: list[dict[str, Any]], asked: QueryParams) -> dict[str, Any]:
    """The newest first, at most a hundred, behind the one that is named."""
    rows, limit = rows[::-1], min(int(asked.get("limit", "10")), 100)
    if last := asked.get("starting_after"):
        rows = rows[[each["id"] for each in rows].index(last) + 1 :]
    return {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit}


def _error(status: int, code: str) -> Response:
    return JSONResponse({"error": {"code": code}}, status_code=status)
