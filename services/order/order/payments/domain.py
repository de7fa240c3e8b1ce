"""A payment pays one order, wholly, once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, Invalid
from kit.money import Money


@dataclass(frozen=True, slots=True)
class PaymentWord:
    """Somebody's word that money came. `provider_reference` is the payment's number there."""

    provider: str
    provider_reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """A payment that was taken."""

    id: UUID
    order_id: UUID
    provider: str
    provider_reference: str
    amount: Money
    paid_at: datetime


class AmountMismatch(Invalid):
    """The payment is not exactly the order's total in the order's currency."""

    code = "amount_mismatch"


class PaymentReferenceUsed(Conflict):
    """This payment has paid another order already."""

    code = "payment_reference_used"
