"""What this slice tells the others: that there is a case, and what it is about."""

from fulfillment.cases.domain import Case
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.purchase_events_pb2 import CaseOpened


def case_opened(case: Case) -> CaseOpened:
    amount = case.amount
    return CaseOpened(
        case_id=str(case.id),
        merchant_id=str(case.merchant_id),
        kind=case.kind,
        supplier=case.supplier,
        purchase_id=_text(case.purchase_id),
        order_id=_text(case.order_id),
        procurement_id=_text(case.procurement_id),
        amount=Money(amount_minor=amount.amount_minor, currency=amount.currency)
        if amount
        else None,
    )


def _text(found: object) -> str:
    return str(found) if found else ""
