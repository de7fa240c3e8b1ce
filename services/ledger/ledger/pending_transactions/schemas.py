from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import Model, Timestamp
from ledger.pending_transactions.domain import PendingState, PendingTransaction
from ledger.transactions.schemas import (
    POSTINGS_BY_HAND_MAX,
    Description,
    PostingGiven,
    PostingRead,
)


class PendingPost(Model):
    """Makes it count. `postings` instead of its own: what was used of a reservation."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{}, {"at": "2026-11-27T12:00:00Z", "postings": None}]}
    )

    at: Annotated[Timestamp | None, Field(description="when it counts; now if left out")] = None
    postings: Annotated[
        list[PostingGiven] | None, Field(min_length=2, max_length=POSTINGS_BY_HAND_MAX)
    ] = None


class PendingVoid(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The order failed"}]})

    reason: Description


class PendingRead(Model):
    id: UUID
    source: str
    state: PendingState
    at: datetime
    description: str
    transaction_id: UUID | None = Field(description="what it became when it was posted")
    reason: str = Field(description="why it was voided")
    recorded_at: datetime
    resolved_at: datetime | None
    postings: list[PostingRead]

    @classmethod
    def from_domain(cls, pending: PendingTransaction) -> Self:
        return cls(
            id=pending.id,
            source=pending.source,
            state=pending.state,
            at=pending.at,
            description=pending.description,
            transaction_id=pending.transaction_id,
            reason=pending.reason,
            recorded_at=pending.recorded_at,
            resolved_at=pending.resolved_at,
            postings=[PostingRead.from_domain(posting) for posting in pending.postings],
        )
