from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from inventory_vault.lots.domain import Lot, NewLot
from kit.money import Money
from lockstock.common.v1.money_pb2 import Money as MoneyMessage
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported, StockUndone


def stock_imported(lot: NewLot, quantity: int, total_cost: Money) -> StockImported:
    return StockImported(
        lot_id=str(lot.id),
        pool_id=str(lot.pool_id),
        merchant_id=str(lot.merchant_id),
        supplier=lot.supplier,
        quantity=quantity,
        unit_cost=_money(lot.unit_cost),
        total_cost=_money(total_cost),
        expires_at=_moment(lot.expires_at),
    )


def stock_undone(lot: Lot) -> StockUndone:
    return StockUndone(
        lot_id=str(lot.id),
        pool_id=str(lot.pool_id),
        merchant_id=str(lot.merchant_id),
        supplier=lot.supplier,
        quantity=lot.levels.total,
        total_cost=_money(lot.total_cost),
    )


def _money(money: Money) -> MoneyMessage:
    return MoneyMessage(amount_minor=money.amount_minor, currency=money.currency)


def _moment(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
