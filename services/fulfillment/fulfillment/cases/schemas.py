"""The wire of cases."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.cases.domain import Case
from kit.http import Model
from kit.http.wire import MoneyModel

Resolution = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")
]
State = Literal["open", "closed"]

_CASE: dict[str, Any] = {
    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a61",
    "kind": "late_success",
    "subject": "0193a3f0-5b1e-5c44-9d57-0f4d3c1b2a41",
    "supplier": "acme",
    "purchase_id": "0193a3f0-5b1e-5c44-9d57-0f4d3c1b2a41",
    "order_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a11",
    "procurement_id": None,
    "amount": {"amount": 4850, "currency": "CNY"},
    "details": {"supplier_reference": "ACME-77", "given_up_as": "not_found"},
    "state": "open",
    "resolution": "",
    "closed_by": None,
    "closed_at": None,
    "created_at": "2026-11-27T09:00:00Z",
}


class CaseClose(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"resolution": "credited by the supplier, note 4711"}]}
    )

    resolution: Resolution = Field(description="What was done about it.")
    supplier_pays: bool | None = Field(
        default=None,
        description="Whether the supplier pays back what he was asked for; only where the case's "
        "`details` say `claimed`. The books follow.",
    )


class CaseRead(Model):
    """Something about buying that a person must settle."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CASE]})

    id: UUID
    kind: str = Field(description="A stable word, e.g. `late_success`, `codes_refused`.")
    subject: str = Field(description="What it is about; one open case per kind and subject.")
    supplier: str
    purchase_id: UUID | None
    order_id: UUID | None
    procurement_id: UUID | None
    amount: MoneyModel | None
    details: dict[str, Any] = Field(description="Ids, figures, reasons; never a code.")
    state: State
    resolution: str
    closed_by: str | None
    closed_at: datetime | None
    created_at: datetime | None

    @classmethod
    def from_domain(cls, case: Case) -> Self:
        return cls(
            id=case.id,
            kind=case.kind,
            subject=case.subject,
            supplier=case.supplier,
            purchase_id=case.purchase_id,
            order_id=case.order_id,
            procurement_id=case.procurement_id,
            amount=MoneyModel.from_domain(case.amount) if case.amount else None,
            details=dict(case.details),
            state=case.state.value,
            resolution=case.resolution,
            closed_by=case.closed_by,
            closed_at=case.closed_at,
            created_at=case.created_at,
        )
