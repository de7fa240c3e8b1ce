from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model, Text
from risk.reviews.domain import BULK_MAX, Act, BulkResult, Review, ReviewAct, ReviewStatus

Assignee = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Note = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]


class ReviewDecision(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"note": "Called the buyer: a regular with a new phone."}]}
    )

    note: Annotated[Text, Field(description="why, for the order's timeline")] = ""


class ReviewDecisions(Model):
    """The same decision for many reviews."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "decision": "decline",
                    "review_ids": ["0193a3f0-0000-7000-8000-000000000011"],
                    "note": "One ring: same device, ten cards.",
                }
            ]
        }
    )

    decision: Literal["approve", "decline"]
    review_ids: Annotated[list[UUID], Field(min_length=1, max_length=BULK_MAX)]
    note: Annotated[Text, Field(description="why, for the orders' timelines")] = ""

    @property
    def status(self) -> ReviewStatus:
        approved = self.decision == "approve"
        return ReviewStatus.APPROVED if approved else ReviewStatus.DECLINED


class DecidedRead(Model):
    id: UUID
    result: BulkResult = Field(description="closed: somebody decided it before")


class DecisionsRead(Model):
    items: list[DecidedRead]

    @classmethod
    def from_domain(cls, results: Mapping[UUID, BulkResult]) -> Self:
        return cls(items=[DecidedRead(id=each, result=it) for each, it in results.items()])


class ReviewAssign(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"assignee": "ann"}]})

    assignee: Annotated[Assignee | None, Field(description="who looks at it; null: nobody")]


class ReviewNote(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "Waits for a call back."}]})

    note: Note


class ReviewActRead(Model):
    """An entry of the audit log."""

    id: UUID
    at: datetime
    actor: str
    act: Act
    note: str

    @classmethod
    def from_domain(cls, act: ReviewAct) -> Self:
        return cls(id=act.id, at=act.at, actor=act.actor, act=act.act, note=act.note)


class ReviewRead(Model):
    id: UUID
    order_id: UUID
    assessment_id: UUID
    status: ReviewStatus
    reason: str
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    note: str
    assignee: str | None
    due_at: datetime | None = Field(description="when the merchant's policy takes over")
    is_overdue: bool

    @classmethod
    def from_domain(cls, review: Review) -> Self:
        return cls(
            id=review.id,
            order_id=review.order_id,
            assessment_id=review.assessment_id,
            status=review.status,
            reason=review.reason,
            opened_at=review.opened_at,
            decided_at=review.decided_at,
            decided_by=review.decided_by,
            note=review.note,
            assignee=review.assignee,
            due_at=review.due_at,
            is_overdue=review.is_overdue,
        )
