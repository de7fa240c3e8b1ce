from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import Model, Name
from order.orders.domain import Order
from order.waits.domain import Wait


class WaitRead(Model):
    """One thing that waits."""

    id: UUID
    kind: str = Field(
        description="step, back_order, refund, unknown_line, review, checkout, payment, "
        "assessment, fulfillment, lost"
    )
    order_id: UUID
    reference: str
    line_id: UUID | None
    what: str = Field(description="the kind of call, the provider, the SKU, or who must speak")
    state: str
    since: datetime
    next_try_at: datetime | None = Field(description="null: nothing happens by itself")
    last_error: str | None
    attempts: int

    @classmethod
    def from_domain(cls, wait: Wait) -> Self:
        return cls(
            id=wait.id,
            kind=wait.kind.value,
            order_id=wait.order_id,
            reference=wait.reference,
            line_id=wait.line_id,
            what=wait.what,
            state=wait.state,
            since=wait.since,
            next_try_at=wait.next_at,
            last_error=wait.last_error or None,
            attempts=wait.attempts,
        )


class WaitAct(Model):
    """Why; it is kept on the order's timeline."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the supplier confirmed by phone"}]}
    )

    reason: Name


class WaitForce(WaitAct):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"reason": "the supplier has no such call"},
                {"reason": "the supplier confirmed by phone", "force": True},
            ]
        }
    )

    force: bool = Field(
        default=False,
        description="although the outcome is unknown; needs the scope refunds:write as well",
    )


class WaitActed(Model):
    """The order after the act."""

    wait_id: UUID
    order_id: UUID
    order_status: str

    @classmethod
    def from_domain(cls, wait_id: UUID, order: Order) -> Self:
        return cls(wait_id=wait_id, order_id=order.id, order_status=order.status.value)
