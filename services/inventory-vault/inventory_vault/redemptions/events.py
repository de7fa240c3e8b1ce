from uuid import UUID

from inventory_vault.redemptions.domain import Redeemable, Redemption
from kit.money import Money
from lockstock.common.v1.money_pb2 import Money as MoneyMessage
from lockstock.inventory_vault.v1.redemption_events_pb2 import (
    RedemptionRolledBack,
    VoucherRedeemed,
)


def voucher_redeemed(done: Redemption, pool_id: UUID) -> VoucherRedeemed:
    return VoucherRedeemed(
        redemption_id=str(done.id),
        unit_id=str(done.unit_id),
        lot_id=str(done.lot_id),
        pool_id=str(pool_id),
        merchant_id=str(done.merchant_id),
        merchant_reference=done.merchant_reference,
        amount=_money(done.amount),
        balance=_money(done.balance),
        is_used_up=done.is_used_up,
    )


def redemption_rolled_back(done: Redemption, found: Redeemable) -> RedemptionRolledBack:
    """`found`: the unit as it is after the rollback, its time over or not."""
    return RedemptionRolledBack(
        redemption_id=str(done.id),
        unit_id=str(done.unit_id),
        lot_id=str(done.lot_id),
        pool_id=str(found.pool_id),
        merchant_id=str(done.merchant_id),
        merchant_reference=done.merchant_reference,
        amount=_money(done.amount),
        balance=_money(found.balance),
        is_over=found.is_expired,
    )


def _money(money: Money | None) -> MoneyMessage | None:
    if money is None:
        return None
    return MoneyMessage(amount_minor=money.amount_minor, currency=money.currency)
