from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model
from ledger.reconciliations.domain import Case, CaseState, Kind, MatchBy, Reconciliation, State


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
        "`amount_differs`; `outgoing` lines are counted and not matched"
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


class CaseRead(Model):
    """A difference. Amounts in minor units; null: that side does not have it."""

    id: UUID
    source: str = Field(description="`channel:<id>` or `provider:<name>`")
    reconciliation_id: UUID | None = Field(description="null: found by the daily job")
    kind: Kind
    reference: str
    currency: str
    there: int | None = Field(description="what the statement says")
    here: int | None = Field(description="what the ledger was told of")
    happened_at: datetime | None
    state: CaseState
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    reason: str

    @classmethod
    def from_domain(cls, it: Case) -> Self:
        return cls(
            id=it.id,
            source=it.source,
            reconciliation_id=it.reconciliation_id,
            kind=it.difference.kind,
            reference=it.difference.reference,
            currency=it.difference.currency,
            there=it.difference.there_minor,
            here=it.difference.here_minor,
            happened_at=it.difference.happened_at,
            state=it.state,
            opened_at=it.opened_at,
            closed_at=it.closed_at,
            closed_by=it.closed_by,
            reason=it.reason,
        )


class CaseClose(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "Paid twice by the buyer; refunded by hand"}]}
    )

    reason: Annotated[
        str,
        StringConstraints(
            min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
        ),
    ]
