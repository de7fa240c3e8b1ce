"""A supplier that speaks our own small protocol: signed JSON over HTTP. See the service's README,
"The generic supplier protocol"."""

import hashlib
import hmac
import time
from datetime import timedelta
from uuid import UUID

import orjson
from pydantic import ValidationError

from fulfillment.connector import (
    Access,
    Answer,
    Connector,
    Done,
    Failed,
    NotFound,
    NotSent,
    Report,
    Terms,
    Unknown,
    Wanted,
)
from fulfillment.connectors.generic.wire import PurchaseAnswer, Status
from fulfillment.outside import BAD_ANSWER, Heard, Outside
from kit.money import Money

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


class GenericConnector:
    name = "generic"
    needs_base_url = True
    terms = Terms(
        idempotent_by_ref=True,
        query_by_ref=True,
        definite_failures=_DEFINITE,
        timeout=timedelta(seconds=15),
        visibility_delay=timedelta(minutes=2),
        unknown_ttl=timedelta(hours=24),
    )

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        body = orjson.dumps(
            {
                "reference": str(wanted.reference),
                "sku": wanted.sku,
                "account": wanted.account,
                "quantity": wanted.quantity,
                "cost_max": {
                    "amount": wanted.cost_max.amount_minor,
                    "currency": wanted.cost_max.currency,
                },
            }
        )
        heard = await self._call(access, "POST", "/purchases", body)
        if not isinstance(heard, Heard):
            return heard
        answer = _read(heard, wanted.reference)
        return Unknown(BAD_ANSWER) if isinstance(answer, NotFound) else answer

    async def query(self, access: Access, reference: UUID) -> Report:
        heard = await self._call(access, "GET", f"/purchases/{reference}", b"")
        return _read(heard, reference) if isinstance(heard, Heard) else heard

    async def _call(
        self, access: Access, method: str, path: str, body: bytes
    ) -> Heard | NotSent | Unknown:
        now = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Lockstock-Account": access.account_id,
            "Lockstock-Timestamp": now,
            "Lockstock-Signature": sign(access.secret, now, method, path, body),
        }
        url = access.base_url.rstrip("/") + path
        return await self._outside.call(
            method, url, headers=headers, content=body, timeout=access.timeout
        )


def sign(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over `timestamp.METHOD.path.body`; the path counts from the base URL."""
    signed = f"{timestamp}.{method}.{path}.".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _read(heard: Heard, reference: UUID) -> Report:
    """Anything that is not plainly one of the protocol's answers is unknown."""
    if heard.status >= 500:
        return Unknown("supplier_error")
    try:
        answer = PurchaseAnswer.model_validate_json(heard.body)
    except ValidationError:
        return Unknown(BAD_ANSWER)
    if answer.reference != reference:
        return Unknown("wrong_reference")
    if heard.status == 404 and answer.code == "not_found":
        return NotFound()
    match answer.status:
        case Status.SUCCEEDED if heard.status < 300 and answer.cost is not None:
            cost = Money(answer.cost.amount, answer.cost.currency)
            return Done(cost, answer.supplier_reference, answer.receipt)
        case Status.FAILED if answer.code:
            return Failed(answer.code)
        case Status.ACCEPTED | Status.PROCESSING if heard.status < 300:
            return Unknown("in_progress")
        case _:
            return Unknown(BAD_ANSWER)


def create(outside: Outside) -> Connector:
    return GenericConnector(outside)
