"""The wire of what merchants' systems say later."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.fulfiller_calls.domain import CallState, Done, Failed, FulfillerCall, Word
from kit.http import Model
from kit.http.wire import MoneyModel

Line = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Reason = Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9_]*$")]

_CALL: dict[str, Any] = {
    "reference": "0193a3f0-5b1e-5c44-9d57-0f4d3c1b2aa1",
    "fulfiller": "desk-system",
    "state": "done",
    "order_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a11",
    "delivery_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a77",
    "calls": 1,
    "result": "Activated, valid until 2027-11-27",
    "reason": "",
    "cost": {"amount": 300, "currency": "CNY"},
    "settled_at": "2026-11-27T09:00:00Z",
}


class FulfillerResult(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reference": _CALL["reference"],
                    "status": "delivered",
                    "result": "Activated, valid until 2027-11-27",
                    "cost": {"amount": 300, "currency": "CNY"},
                }
            ]
        }
    )

    reference: UUID = Field(description="The `webhook-id` of the call, `data.reference` in it.")
    status: Literal["delivered", "failed"] = Field(description="Both are final.")
    result: Line = Field(default="", description="A line for the buyer's page.")
    reason: Reason = Field(default="", description="A stable word, of a failure.")
    cost: MoneyModel | None = Field(default=None, description="What it cost you.")

    def to_domain(self) -> Word:
        if self.status == "failed":
            return Failed(self.reason or "refused")
        return Done(self.result, self.cost.to_domain() if self.cost else None)


class FulfillerCallRead(Model):
    """One line handed to a merchant's own system, and what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CALL]})

    reference: UUID
    fulfiller: str
    state: CallState
    order_id: UUID
    delivery_id: UUID
    calls: int
    result: str
    reason: str
    cost: MoneyModel | None
    settled_at: datetime | None

    @classmethod
    def from_domain(cls, call: FulfillerCall) -> Self:
        return cls(
            reference=call.id,
            fulfiller=call.fulfiller,
            state=call.state,
            order_id=call.order_id,
            delivery_id=call.delivery_id,
            calls=call.sends,
            result=call.result,
            reason=call.reason,
            cost=MoneyModel.from_domain(call.cost) if call.cost else None,
            settled_at=call.settled_at,
        )
