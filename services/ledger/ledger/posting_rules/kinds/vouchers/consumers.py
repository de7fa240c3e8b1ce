"""Own vouchers: earned when used, owed again when that is undone, kept when they expire."""

from uuid import UUID

from kit.messaging.events import Event
from ledger.accounts.domain import BREAKAGE, DEFERRED_REVENUE, REVENUE
from ledger.posting_messages import money_of
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Dimensions, Draft
from lockstock.inventory_vault.v1.redemption_events_pb2 import (
    RedemptionRolledBack,
    VoucherExpired,
    VoucherRedeemed,
)

LOT = "lot"


@posts(VoucherRedeemed, Entry("deferred-revenue", "revenue", LOT, "of what was redeemed"))
def voucher_redeemed(event: Event[VoucherRedeemed]) -> Draft:
    """What has no face value was earned when it was sold."""
    message = event.message
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"voucher-redeemed:{message.redemption_id}",
        at=event.time,
        description="Voucher redeemed",
        postings=list(
            move(DEFERRED_REVENUE, REVENUE, money_of(message.amount), _about(message.lot_id))
        ),
    )


@posts(
    RedemptionRolledBack,
    Entry("revenue", "deferred-revenue", LOT, "it can be redeemed again"),
    Entry("revenue", "breakage", LOT, "the voucher's time is over"),
)
def redemption_rolled_back(event: Event[RedemptionRolledBack]) -> Draft:
    message = event.message
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"redemption-rolled-back:{message.redemption_id}",
        at=event.time,
        description="Redemption rolled back",
        postings=list(
            move(
                REVENUE,
                BREAKAGE if message.is_over else DEFERRED_REVENUE,
                money_of(message.amount),
                _about(message.lot_id),
            )
        ),
    )


@posts(VoucherExpired, Entry("deferred-revenue", "breakage", LOT, "what was left on it"))
def voucher_expired(event: Event[VoucherExpired]) -> Draft:
    message = event.message
    return Draft(
        merchant_id=UUID(message.merchant_id),
        source=f"voucher-expired:{message.unit_id}",
        at=event.time,
        description="Voucher expired",
        postings=list(
            move(DEFERRED_REVENUE, BREAKAGE, money_of(message.balance), _about(message.lot_id))
        ),
    )


def _about(lot_id: str) -> Dimensions:
    return Dimensions(lot_id=UUID(lot_id))
