"""Stripe Checkout: a hosted page for cards and wallets.

Our reference is the session's `client_reference_id` and in everybody's metadata; the payment's
number is its payment intent. Refunds carry our refund id in their metadata.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from kit.money import Money
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
from order.providers.stripe import signature
from order.providers.stripe.amounts import from_stripe, to_stripe
from order.refunds.domain import Refund

API_VERSION = "2026-06-24.dahlia"
REFERENCE = "lockstock_checkout"
REFUND = "lockstock_refund"
_REFUNDS_LISTED = 100
_REFUND_PAGES_MAX = 100
_PAID = frozenset({"paid", "no_payment_required"})
_JSON = "application/json"
_EVENTS_PAID = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
_EVENTS_FAILED = frozenset({"checkout.session.async_payment_failed", "checkout.session.expired"})
_EVENT_DECLINED = "payment_intent.payment_failed"
_EVENTS_REFUND = frozenset({"refund.created", "refund.updated", "refund.failed"})


class StripeProvider:
    name = "stripe"
    takes_word = False
    default_url = "https://api.stripe.com"
    account_settings = frozenset[str]()
    account_secrets = frozenset({"api_key", "webhook_secrets"})
    optional = frozenset[str]()
    methods = ("checkout",)

    def check_account(self, _: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        if not secrets["api_key"].startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            raise BadAccount("/secrets/api_key", "a secret or restricted key: sk_... or rk_...")
        given = _webhook_secrets(secrets)
        if not given or not all(each.startswith("whsec_") for each in given):
            raise BadAccount("/secrets/webhook_secrets", "whsec_..., several apart by a space")

    async def begin(self, access: Access, wanted: Wanted) -> Handover:
        reference = wanted.reference.hex
        amount = to_stripe(wanted.amount)
        if amount is None:
            raise BeginRefused(f"Stripe has no such amount of {wanted.amount.currency}")
        fields = {
            "mode": "payment",
            "client_reference_id": reference,
            f"metadata[{REFERENCE}]": reference,
            f"payment_intent_data[metadata][{REFERENCE}]": reference,
            "success_url": wanted.return_url,
            "cancel_url": wanted.return_url,
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": wanted.amount.currency.lower(),
            "line_items[0][price_data][unit_amount]": str(amount),
            "line_items[0][price_data][product_data][name]": wanted.subject,
        }
        answer = await _post(access, "/v1/checkout/sessions", fields, key=f"checkout-{reference}")
        document = _clear(answer)
        if answer.status >= 400:
            raise BeginRefused(_reason(document))
        url, session = document.get("url"), document.get("id")
        if not isinstance(url, str) or not isinstance(session, str):
            raise Unanswered("the session has no page")
        return Handover(redirect_url=url, session=session)

    def owner_of(self, _: Callback) -> Mapping[str, str]:
        return {}

    def read_callback(self, access: Access, callback: Callback, now: datetime) -> Notice:
        header = callback.headers.get("stripe-signature", "")
        signature.verify(header, callback.body, _webhook_secrets(access.secrets), now)
        event = _event(callback.body)
        if bool(event.get("livemode")) is not ("_live_" in access.secrets["api_key"][:8]):
            raise CallbackRefused("foreign", "live and test must not be mixed")
        return _notice(event)

    def answer(self, *, is_accepted: bool, is_temporary: bool = False) -> Answer:
        if is_accepted:
            return Answer(200, b'{"received":true}', _JSON)
        return Answer(503 if is_temporary else 400, b'{"received":false}', _JSON)

    async def query(self, access: Access, reference: UUID, session: str) -> Found:
        """Without the session's name (the answer to `begin` was lost) begin again: same session."""
        if not session:
            return Found(PaymentState.WAITING, why="no session is known yet")
        answer = await _get(access, f"/v1/checkout/sessions/{quote(session, safe='')}")
        document = _clear(answer)
        if answer.status == 404:
            # Sessions stay: the key is of another account now, or of the other mode.
            return Found(PaymentState.UNKNOWN, why="the provider knows no such session")
        if answer.status >= 400:
            return Found(PaymentState.UNKNOWN, why=_reason(document))
        if document.get("client_reference_id") != reference.hex:
            return Found(PaymentState.UNKNOWN, why="the session is another payment's")
        if document.get("payment_status") in _PAID:
            return Found(PaymentState.PAID, _payment_of(document), _amount(document))
        if document.get("status") == "expired":
            return Found(PaymentState.FAILED, why="the session has expired")
        return Found(PaymentState.WAITING, why=str(document.get("status"))[:40])

    async def close(
        self, access: Access, reference: UUID, session: str, *, is_over: bool
    ) -> PaymentState:
        if not session:
            return PaymentState.FAILED
        path = f"/v1/checkout/sessions/{quote(session, safe='')}/expire"
        answer = await _post(access, path, {}, key=f"close-{reference.hex}")
        document = _clear(answer)
        if answer.status < 400 and document.get("status") == "expired":
            return PaymentState.FAILED
        return (await self.query(access, reference, session)).state

    async def give_back(self, access: Access, refund: Refund, reference: UUID) -> RefundOutcome:
        """Asked for first: an idempotency key is forgotten after a day, our metadata is not."""
        known = await self._find_refund(access, refund)
        if known is not None:
            return _refund_state(known)
        amount = to_stripe(refund.amount)
        if amount is None:
            return RefundOutcome.REFUSED
        fields = {
            "payment_intent": refund.provider_reference,
            "amount": str(amount),
            f"metadata[{REFUND}]": refund.id.hex,
            f"metadata[{REFERENCE}]": reference.hex,
        }
        answer = await _post(access, "/v1/refunds", fields, key=f"refund-{refund.id.hex}")
        document = _clear(answer)
        return RefundOutcome.REFUSED if answer.status >= 400 else _refund_state(document)

    async def _find_refund(self, access: Access, refund: Refund) -> Mapping[str, Any] | None:
        """Ours among all of the payment, the newest first. Raises Unanswered, also for too many."""
        last = ""
        for _ in range(_REFUND_PAGES_MAX):
            listed, has_more = await _refunds_of(access, refund.provider_reference, after=last)
            for each in listed:
                if _metadata(each).get(REFUND) == refund.id.hex:
                    return each
            if not has_more:
                return None
            last = str(listed[-1]["id"])
        raise Unanswered("the payment has too many refunds")


async def _refunds_of(
    access: Access, payment: str, *, after: str
) -> tuple[list[Mapping[str, Any]], bool]:
    """A page of them, and whether there are more. Raises Unanswered."""
    asked = {"payment_intent": payment, "limit": str(_REFUNDS_LISTED)}
    query = urlencode(asked | ({"starting_after": after} if after else {}))
    answer = await _get(access, f"/v1/refunds?{query}")
    document = _clear(answer)
    listed, has_more = document.get("data"), bool(document.get("has_more"))
    if answer.status >= 400 or not isinstance(listed, list) or (has_more and not listed):
        raise Unanswered("the refunds cannot be read")
    return listed, has_more


def _webhook_secrets(secrets: Mapping[str, str]) -> list[str]:
    return secrets["webhook_secrets"].split()


async def _post(access: Access, path: str, fields: Mapping[str, str], *, key: str) -> Answered:
    headers = {
        **_headers(access),
        "content-type": "application/x-www-form-urlencoded",
        "idempotency-key": key,
    }
    return await access.http.call("POST", path, headers=headers, content=urlencode(fields).encode())


async def _get(access: Access, path: str) -> Answered:
    return await access.http.call("GET", path, headers=_headers(access))


def _headers(access: Access) -> dict[str, str]:
    return {
        "authorization": f"Bearer {access.secrets['api_key']}",
        "stripe-version": API_VERSION,
    }


def _clear(answer: Answered) -> dict[str, Any]:
    """The document of a definite answer. Raises Unanswered. 409: the first call still runs."""
    if answer.is_unclear or answer.status == 409:
        raise Unanswered(str(answer.status))
    return answer.document()


def _reason(document: Mapping[str, Any]) -> str:
    error = document.get("error")
    code = error.get("code") or error.get("type") if isinstance(error, dict) else None
    return f"Stripe refuses: {str(code or 'no reason given')[:80]}"


def _event(body: bytes) -> Mapping[str, Any]:
    event = object_of(body)
    if not isinstance(event.get("id"), str):
        raise CallbackRefused("malformed")
    return event


def _notice(event: Mapping[str, Any]) -> Notice:
    kind, name = str(event.get("type"))[:80], str(event["id"])[:200]
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    thing = thing if isinstance(thing, dict) else {}
    if kind in _EVENTS_PAID:
        is_paid = thing.get("payment_status") in _PAID
        outcome = NoticeKind.PAID if is_paid else NoticeKind.OTHER  # unpaid: a later event tells
        payment, amount = _payment_of(thing), _amount(thing)
        return Notice(name, outcome, kind, _reference(thing), payment, amount)
    if kind in _EVENTS_FAILED:
        is_refusal = kind == "checkout.session.async_payment_failed"
        return Notice(
            name, NoticeKind.FAILED, kind, _reference(thing), is_refusal=is_refusal, why=kind
        )
    if kind == _EVENT_DECLINED:
        return _declined(name, kind, thing)
    if kind in _EVENTS_REFUND:
        failed = thing.get("status") in ("failed", "canceled")
        outcome = NoticeKind.REFUND_FAILED if failed else NoticeKind.REFUNDED
        money = _money(thing.get("amount"), thing.get("currency"))
        refund_id = reference_of(_metadata(thing).get(REFUND))
        payment = _payment_of(thing)
        # A bank may send back what had succeeded, days later; what has failed is never tried again.
        return Notice(name, outcome, kind, None, payment, money, refund_id, is_final=failed)
    if kind == "charge.refunded":
        money = _money(thing.get("amount_refunded"), thing.get("currency"))
        return Notice(name, NoticeKind.REFUNDED, kind, None, _payment_of(thing), money)
    return Notice(name, NoticeKind.OTHER, kind)


def _declined(name: str, kind: str, intent: Mapping[str, Any]) -> Notice:
    """A card's no, at once: the session stays open for another card. Of methods that take days the
    session's own event tells, and what else failed was no card.
    """
    error = intent.get("last_payment_error")
    error = error if isinstance(error, dict) else {}
    method = error.get("payment_method")
    is_card = isinstance(method, dict) and method.get("type") == "card"
    return Notice(
        name,
        NoticeKind.REFUSED if is_card else NoticeKind.OTHER,
        kind,
        reference_of(_metadata(intent).get(REFERENCE)),
        is_refusal=is_card,
        why=str(error.get("decline_code") or error.get("code") or kind)[:80],
    )


def _reference(session: Mapping[str, Any]) -> UUID | None:
    return reference_of(session.get("client_reference_id"))


def _payment_of(thing: Mapping[str, Any]) -> str:
    """The payment intent; a session that needed no payment has none, and is its own number."""
    found = thing.get("payment_intent") or thing.get("id")
    return found[:120] if isinstance(found, str) else ""


def _amount(session: Mapping[str, Any]) -> Money | None:
    return _money(session.get("amount_total"), session.get("currency"))


def _money(amount: object, currency: object) -> Money | None:
    if type(amount) is not int or amount < 0 or not isinstance(currency, str):
        return None
    found = from_stripe(amount, currency.upper()[:3])
    return found if found is not None and found.amount_minor <= AMOUNT_MAX else None


def _metadata(thing: object) -> Mapping[str, Any]:
    found = thing.get("metadata") if isinstance(thing, dict) else None
    return found if isinstance(found, dict) else {}


def _refund_state(refund: Mapping[str, Any]) -> RefundOutcome:
    match refund.get("status"):
        case "succeeded":
            return RefundOutcome.DONE
        case "failed" | "canceled":
            return RefundOutcome.REFUSED
        case _:
            return RefundOutcome.UNKNOWN


PROVIDER: Loaded = StripeProvider()
