from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from kit.http import Model, MoneyModel, Name
from order.refunds.domain import LineWanted, Refund, RefundState, RefundWanted

LINES_MAX = 100


class RefundLineCreate(Model):
    """How much of a line: an amount, the price of some of its units, or neither for all of it."""

    line_id: UUID
    amount: MoneyModel | None = None
    quantity: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.amount is not None and self.quantity is not None:
            raise ValueError("give an amount or a quantity, not both")
        return self

    def to_domain(self) -> LineWanted:
        amount = self.amount.to_domain() if self.amount else None
        return LineWanted(self.line_id, amount, self.quantity)


class RefundCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the card does not work", "whole": True}]}
    )

    reason: Name
    whole: bool = Field(default=False, description="all that is left of the order")
    lines: Annotated[list[RefundLineCreate], Field(max_length=LINES_MAX)] = Field(
        default_factory=list, description="or some of it, by line, each once"
    )

    @model_validator(mode="after")
    def _whole_or_lines(self) -> Self:
        if self.whole == bool(self.lines):
            raise ValueError("give either `whole: true` or `lines`")
        if len({line.line_id for line in self.lines}) < len(self.lines):
            raise ValueError("name each line once")
        return self

    def to_domain(self, request_id: UUID, asked_by: str) -> RefundWanted:
        lines = tuple(line.to_domain() for line in self.lines)
        return RefundWanted(request_id, self.reason, asked_by, lines)


class RefundRead(Model):
    """Money on its way back to the buyer. `line_id` is null when a payment itself goes back."""

    id: UUID
    line_id: UUID | None
    payment_id: UUID
    amount: MoneyModel
    reason: str
    request_id: UUID | None = Field(description="the call that asked for it")
    asked_by: str | None
    status: str = Field(
        description="due, sent, unknown (no definite answer yet, asked again), manual (the "
        "provider refused: somebody must act), done"
    )
    attempts: int
    last_error: str | None
    created_at: datetime
    done_at: datetime | None

    @classmethod
    def from_domain(cls, state: RefundState) -> Self:
        refund = state.refund
        return cls(
            id=refund.id,
            line_id=refund.line_id,
            payment_id=refund.payment_id,
            amount=MoneyModel.from_domain(refund.amount),
            reason=refund.reason,
            request_id=refund.request_id,
            asked_by=refund.asked_by or None,
            status=state.status.value,
            attempts=state.attempts,
            last_error=state.last_error,
            created_at=state.created_at,
            done_at=state.done_at,
        )


class OwedRefundRead(Model):
    id: UUID
    line_id: UUID | None
    payment_id: UUID
    amount: MoneyModel

    @classmethod
    def from_domain(cls, refund: Refund) -> Self:
        return cls(
            id=refund.id,
            line_id=refund.line_id,
            payment_id=refund.payment_id,
            amount=MoneyModel.from_domain(refund.amount),
        )


class RefundRequestRead(Model):
    """What a call asked to be refunded: owed from now on, under way at once."""

    request_id: UUID
    order_id: UUID
    order_status: str
    reason: str
    refunds: Sequence[OwedRefundRead]
