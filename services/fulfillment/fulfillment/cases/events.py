"""What this slice tells the others: that there is a case, and what it is about."""

from fulfillment.cases.domain import Case
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.purchase_events_pb2 import CaseOpened, SupplierAnswered


def case_opened(case: Case) -> CaseOpened:
    return CaseOpened(
        case_id=str(case.id),
        merchant_id=str(case.merchant_id),
        kind=case.kind,
        supplier=case.supplier,
        purchase_id=_text(case.purchase_id),
        order_id=_text(case.order_id),
        procurement_id=_text(case.procurement_id),
        amount=_money(case),
    )


def supplier_answered(case: Case, *, pays: bool) -> SupplierAnswered:
    return SupplierAnswered(
        case_id=str(case.id),
        merchant_id=str(case.merchant_id),
        supplier=case.supplier,
        purchase_id=_text(case.purchase_id),
        lot_id=_text(case.details.get("lot_id")),
        amount=_money(case),
        pays=pays,
    )


def _money(case: Case) -> Money | None:
    amount = case.amount
    if amount is None:
        return None
    return Money(amount_minor=amount.amount_minor, currency=amount.currency)


def _text(found: object) -> str:
    return str(found) if found else ""
