"""How a merchant's own system is spoken to: one signed call with the form in it, one answer.

The call is a Standard Webhooks message whose id is our reference. It is answered with 200 and
`{"status": "delivered", "result": "...", "cost"?: {...}}` or
`{"status": "failed", "reason": "..."}`, or with 202 when the word comes later. Anything else is
unknown: the same call is made again, so the other side acts once for each id.
"""

import time
from datetime import timedelta
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fulfillment.connector import NotSent as NothingSent
from fulfillment.fulfiller_calls.domain import (
    Accepted,
    Answer,
    Done,
    Failed,
    Form,
    FulfillerCall,
    NotSent,
    Unknown,
)
from fulfillment.fulfillers.domain import Station
from fulfillment.outside import BAD_ANSWER, Heard, Outside
from fulfillment.webhook_signatures import signed_headers
from kit.http.wire import MoneyModel

TYPE = "fulfillment.requested"


class HttpFulfiller:
    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def ask(self, station: Station, call: FulfillerCall, form: Form) -> Answer:
        """Raises nothing for what the other side does."""
        body = _body(call, form)
        # The time of this attempt by the clock of this host: receivers allow five minutes.
        headers = signed_headers([station.key], str(call.id), int(time.time()), body)
        fulfiller = station.fulfiller
        heard = await self._outside.call(
            "POST",
            fulfiller.url,
            headers=headers,
            content=body,
            timeout=timedelta(seconds=fulfiller.timeout_seconds),
        )
        if isinstance(heard, Heard):
            return _read(heard)
        if isinstance(heard, NothingSent):
            return NotSent(heard.reason)
        return Unknown(heard.reason)


class _Said(BaseModel):
    """A word as it came. Fields we do not know are the other side's own affair."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["delivered", "failed"]
    result: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    reason: Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9_]*$")] = Field(
        default=""
    )
    cost: MoneyModel | None = None


def _read(heard: Heard) -> Answer:
    if heard.status == 202:
        return Accepted()
    if heard.status != 200:
        return Unknown(f"http_{heard.status}")
    try:
        said = _Said.model_validate_json(heard.body)
    except ValidationError:
        return Unknown(BAD_ANSWER)
    if said.status == "failed":
        return Failed(said.reason or "refused")
    return Done(said.result, said.cost.to_domain() if said.cost else None)


def _body(call: FulfillerCall, form: Form) -> bytes:
    """The same at every call."""
    created = call.created_at.isoformat() if call.created_at else ""
    return orjson.dumps(
        {
            "type": TYPE,
            "timestamp": created.replace("+00:00", "Z"),
            "data": {
                "reference": str(call.id),
                "order_id": str(call.order_id),
                "order_reference": form.order_reference,
                "delivery_id": str(call.delivery_id),
                "sku": form.sku,
                "name": form.name,
                "quantity": form.quantity,
                "inputs": form.inputs,
            },
        }
    )
