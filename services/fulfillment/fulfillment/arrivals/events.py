"""What this slice tells the others: what was bought, and that the vault has it. Never a code."""

from fulfillment.arrivals.domain import Arrival, Sealed, Stored
from kit.money import Money
from lockstock.common.v1.money_pb2 import Money as MoneyMessage
from lockstock.fulfillment.v1.purchase_events_pb2 import PurchaseMade, PurchaseStocked


def purchase_made(sealed: Sealed) -> PurchaseMade:
    origin = sealed.origin
    return PurchaseMade(
        purchase_id=str(origin.purchase_id),
        merchant_id=str(origin.merchant_id),
        supplier=origin.supplier,
        supplier_sku=origin.supplier_sku,
        quantity=len(sealed.lot.units),
        cost=_money(origin.cost),
        lot_id=str(sealed.lot.lot_id),
        pool_id=str(origin.pool_id) if origin.pool_id else "",
        procurement_id=str(origin.procurement_id) if origin.procurement_id else "",
        is_late=origin.is_late,
    )


def purchase_stocked(arrival: Arrival, stored: Stored) -> PurchaseStocked:
    origin, refused = arrival.origin, arrival.refused_cost(stored)
    return PurchaseStocked(
        purchase_id=str(origin.purchase_id),
        merchant_id=str(origin.merchant_id),
        lot_id=str(arrival.lot.lot_id),
        pool_id=str(origin.pool_id),
        accepted=stored.accepted,
        rejected=stored.rejected,
        duplicates=stored.duplicates,
        supplier=origin.supplier,
        refused_cost=_money(refused) if refused else None,
    )


def _money(money: Money) -> MoneyMessage:
    return MoneyMessage(amount_minor=money.amount_minor, currency=money.currency)
