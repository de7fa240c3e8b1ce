from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import Model
from ledger.reconciliation_cases.domain import Case, CaseState, Kind


class CaseRead(Model):
    """A difference. Amounts in minor units; null: that side does not have it, or has it in several
    currencies, which are never added.
    """

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
    transaction_id: UUID | None = Field(description="what closing it as rounding posted")

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
            transaction_id=it.transaction_id,
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
    as_rounding: bool = Field(
        default=False,
        description="also posts the difference between `rounding` and what the channel owes; "
        "409 `not_rounding` when it is more than `LEDGER_ROUNDING_MAX`",
    )
