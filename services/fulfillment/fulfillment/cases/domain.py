"""A case: something about buying that only a person can settle with the supplier or the books."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from kit.ids import new_id
from kit.money import Money

CLAIMED = "claimed"
"""Among a case's details: the supplier was asked to pay its amount back."""


class CaseState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Case:
    """`kind` is a stable word. `subject` tells cases of one kind apart: there is one open case per
    kind and subject. With `is_once` there is one ever, closed or not. `details` are ids, figures
    and codes of reasons; never a code of stock, never an account.
    """

    merchant_id: UUID
    kind: str
    subject: str
    supplier: str = ""
    purchase_id: UUID | None = None
    order_id: UUID | None = None
    procurement_id: UUID | None = None
    amount: Money | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    is_once: bool = True
    id: UUID = field(default_factory=new_id)
    state: CaseState = CaseState.OPEN
    resolution: str = ""
    closed_by: str | None = None
    closed_at: datetime | None = None
    created_at: datetime | None = None

    @property
    def is_claimed(self) -> bool:
        return self.amount is not None and bool(self.details.get(CLAIMED))


class CaseNotFound(NotFound):
    """There is no such case, or it is not yours."""

    code = "case_not_found"


class CaseClosed(Conflict):
    """Somebody has closed it already; read the case to see why."""

    code = "case_closed"


class SupplierAnswerUnclear(Invalid):
    """A case whose amount was claimed of the supplier (`details.claimed`) is closed with
    `supplier_pays`; any other case without it.
    """

    code = "supplier_answer_unclear"
