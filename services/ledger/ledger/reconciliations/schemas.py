from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from kit.http import Model
from ledger.reconciliations.domain import MatchBy, Reconciliation, State


class ReconciliationRead(Model):
    """A statement and how it agrees with the ledger."""

    id: UUID
    channel_id: UUID | None
    provider: str
    match_by: MatchBy
    file_name: str
    state: State
    reason: str = Field(description="why it could not be read; empty when it could")
    period_from: datetime | None
    period_to: datetime | None
    lines: int = Field(description="so far, while it is read")
    refused: int = Field(description="lines without a reference, an amount, a currency or a time")
    results: dict[str, int] = Field(
        description="references that are `matched`, `missing_here`, `missing_there`, "
        "`amount_differs`; of the `outgoing` lines `outgoing_matched` are refunds, fees or payouts "
        "that the ledger knows"
    )
    created_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, it: Reconciliation) -> Self:
        return cls(
            id=it.id,
            channel_id=it.source.channel_id,
            provider=it.source.provider,
            match_by=it.match_by,
            file_name=it.file_name,
            state=it.state,
            reason=it.reason,
            period_from=it.period_from,
            period_to=it.period_to,
            lines=it.lines,
            refused=it.refused,
            results=dict(it.results),
            created_at=it.created_at,
            ended_at=it.ended_at,
        )
