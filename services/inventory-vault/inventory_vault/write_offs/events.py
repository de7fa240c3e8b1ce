from inventory_vault.write_offs.domain import ExpiredVoucher, WriteOff
from lockstock.common.v1.money_pb2 import Money
from lockstock.inventory_vault.v1.redemption_events_pb2 import VoucherExpired
from lockstock.inventory_vault.v1.stock_events_pb2 import StockWrittenOff


def stock_written_off(write_off: WriteOff) -> StockWrittenOff:
    reason = StockWrittenOff.Reason
    return StockWrittenOff(
        write_off_id=str(write_off.id),
        lot_id=str(write_off.lot_id),
        pool_id=str(write_off.pool_id),
        merchant_id=str(write_off.merchant_id),
        supplier=write_off.supplier,
        reason=reason.REASON_EXPIRED if write_off.is_expired else reason.REASON_VOIDED,
        quantity=write_off.quantity,
        cost=Money(amount_minor=write_off.cost.amount_minor, currency=write_off.cost.currency),
    )


def voucher_expired(voucher: ExpiredVoucher) -> VoucherExpired:
    balance = voucher.balance
    return VoucherExpired(
        unit_id=str(voucher.unit_id),
        lot_id=str(voucher.lot_id),
        pool_id=str(voucher.pool_id),
        merchant_id=str(voucher.merchant_id),
        balance=Money(amount_minor=balance.amount_minor, currency=balance.currency),
    )
