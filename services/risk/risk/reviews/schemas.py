from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import Model, Text
from risk.reviews.domain import Review, ReviewStatus


class ReviewDecision(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"note": "Called the buyer: a regular with a new phone."}]}
    )

    note: Annotated[Text, Field(description="why, for the order's timeline")] = ""


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
        )
