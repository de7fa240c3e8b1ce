"""What this slice tells the others: that a person is asked, and how it ended."""

from fulfillment.procurement.domain import Procurement
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.purchase_events_pb2 import ProcurementEnded, ProcurementProposed


def proposed(procurement: Procurement) -> ProcurementProposed:
    budget = procurement.budget
    return ProcurementProposed(
        procurement_id=str(procurement.id),
        merchant_id=str(procurement.merchant_id),
        pool_id=str(procurement.pool_id),
        quantity=procurement.quantity,
        budget=Money(amount_minor=budget.amount_minor, currency=budget.currency),
    )


def ended(procurement: Procurement) -> ProcurementEnded:
    spent = Money(amount_minor=procurement.spent_minor, currency=procurement.budget.currency)
    return ProcurementEnded(
        procurement_id=str(procurement.id),
        merchant_id=str(procurement.merchant_id),
        pool_id=str(procurement.pool_id),
        state=procurement.state.value,
        quantity=procurement.quantity,
        arrived=procurement.arrived,
        spent=spent,
        reason=procurement.reason,
    )
