"""What suppliers owe for units that were bad: one note per claim that cost something."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, NotFound
from kit.money import Money


class ClawBackState(StrEnum):
    """`noted`: to be claimed of the supplier; then he accepts or refuses."""

    NOTED = "noted"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ClawBack:
    """The cost of a bad unit, owed by the supplier of its lot."""

    claim_id: UUID
    merchant_id: UUID
    channel_id: UUID
    order_id: UUID
    lot_id: UUID
    unit_id: UUID
    supplier: str
    sku: str
    amount: Money
    state: ClawBackState = ClawBackState.NOTED
    reason: str = ""
    decided_by: str | None = None
    decided_at: datetime | None = None
    noted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SupplierDebt:
    """What one supplier owes of one lot, in one state and currency."""

    supplier: str
    lot_id: UUID
    state: ClawBackState
    amount: Money
    units: int


class ClawBackNotFound(NotFound):
    """There is no such claw-back, or it is not yours; its id is that of the claim."""

    code = "claw_back_not_found"


class ClawBackDecided(Conflict):
    """The supplier's answer is written down already, and it was another one."""

    code = "claw_back_decided"
