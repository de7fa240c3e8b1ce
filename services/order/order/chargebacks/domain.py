"""Money that a buyer's bank takes back: noted for risk, which learns from it."""

from dataclasses import dataclass

from kit.errors import Conflict
from kit.money import Money
from order.orders.domain import Change

TOLD = "chargeback"
"""The kind of its entry on the timeline."""


@dataclass(frozen=True, slots=True)
class Chargeback:
    """`reference` is what the provider calls it."""

    reference: str
    amount: Money
    reason: str


def note(change: Change, chargeback: Chargeback) -> Change:
    """The order stays as it is: what was delivered is delivered. Raises OrderNotPaid."""
    if change.order.payment is None:
        raise OrderNotPaid(status=change.order.status.value)
    return change.told(
        TOLD,
        f"the buyer's bank takes back {chargeback.amount.decimal} {chargeback.amount.currency}",
        reference=chargeback.reference,
        amount=chargeback.amount.amount_minor,
        currency=chargeback.amount.currency,
        reason=chargeback.reason,
    )


class OrderNotPaid(Conflict):
    """Nothing was paid for this order that a bank could take back."""

    code = "order_not_paid"
