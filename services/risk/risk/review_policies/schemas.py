from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import Model
from risk.review_policies.domain import AfterTime, FallBack, ReviewPolicy

MINUTES_MAX = 43_200


class ReviewPolicyBody(Model):
    """What happens when nobody decides."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"review_minutes": 240, "after_time": "decline", "challenge_fall_back": "hold"}
            ]
        }
    )

    review_minutes: Annotated[
        Annotated[int, Field(ge=1, le=MINUTES_MAX, strict=True)] | None,
        Field(description="how long a new review may wait; null: as long as it takes"),
    ] = None
    after_time: Annotated[
        AfterTime, Field(description="what becomes of a review then; keep: it waits on, overdue")
    ] = AfterTime.KEEP
    challenge_fall_back: Annotated[
        FallBack, Field(description="what becomes of an order whose buyer did not show the code")
    ] = FallBack.HOLD

    def to_domain(self, merchant_id: UUID) -> ReviewPolicy:
        return ReviewPolicy(
            merchant_id, self.review_minutes, self.after_time, self.challenge_fall_back
        )

    @classmethod
    def from_domain(cls, policy: ReviewPolicy) -> Self:
        return cls(
            review_minutes=policy.review_minutes,
            after_time=policy.after_time,
            challenge_fall_back=policy.challenge_fall_back,
        )
