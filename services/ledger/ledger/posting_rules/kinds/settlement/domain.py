"""Between the platform and its merchants. Called by the settlement slices, posted through
TransactionService; `source` is the caller's, and is posted once.
"""

from datetime import datetime
from uuid import UUID

from kit.money import Money
from ledger.accounts.domain import (
    BANK,
    PAYOUTS_UNDER_WAY,
    PLATFORM_FEES,
    PLATFORM_REVENUE,
    SETTLEMENT_AVAILABLE,
    SETTLEMENT_PENDING,
    channel_clearing,
    merchant_payable,
)
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Dimensions, Draft

ORDER = "channel, order"


@posts(
    "a split, in the merchant's books",
    Entry(
        "settlement:pending",
        "channel-clearing:<channel>",
        ORDER,
        "the merchant's share of what the platform's channel collected",
    ),
    Entry("platform-fees", "channel-clearing:<channel>", ORDER, "the platform's share"),
)
def split_of_merchant(
    *,
    merchant_id: UUID,
    source: str,
    at: datetime,
    channel_id: UUID,
    order_id: UUID,
    share: Money,
    fee: Money,
) -> Draft:
    """`share` and `fee` are what the channel holds, parted. A negative share is owed back."""
    about = Dimensions(channel_id=channel_id, order_id=order_id)
    clearing = channel_clearing(channel_id)
    return Draft(
        merchant_id=merchant_id,
        source=source,
        at=at,
        description="Split",
        postings=[
            *move(SETTLEMENT_PENDING, clearing, share, about),
            *move(PLATFORM_FEES, clearing, fee, about),
        ],
    )


@posts(
    "the same split, in the platform's books",
    Entry("channel-clearing:<channel>", "merchant-payable:<merchant>", ORDER, "the share"),
    Entry("channel-clearing:<channel>", "platform-revenue", ORDER, "the platform's share"),
)
def split_of_platform(
    *,
    platform_id: UUID,
    merchant_id: UUID,
    source: str,
    at: datetime,
    channel_id: UUID,
    order_id: UUID,
    share: Money,
    fee: Money,
) -> Draft:
    about = Dimensions(channel_id=channel_id, order_id=order_id)
    clearing = channel_clearing(channel_id)
    return Draft(
        merchant_id=platform_id,
        source=source,
        at=at,
        description="Split",
        postings=[
            *move(clearing, merchant_payable(merchant_id), share, about),
            *move(clearing, PLATFORM_REVENUE, fee, about),
        ],
    )


@posts(
    "the warranty window ends",
    Entry("settlement:available", "settlement:pending", ORDER),
)
def share_released(
    *, merchant_id: UUID, source: str, at: datetime, amount: Money, about: Dimensions
) -> Draft:
    return Draft(
        merchant_id=merchant_id,
        source=source,
        at=at,
        description="Share available",
        postings=list(move(SETTLEMENT_AVAILABLE, SETTLEMENT_PENDING, amount, about)),
    )


@posts("a payout is sent", Entry("payouts-under-way", "settlement:available", ""))
def payout_sent(*, merchant_id: UUID, source: str, at: datetime, amount: Money) -> Draft:
    return Draft(
        merchant_id=merchant_id,
        source=source,
        at=at,
        description="Payout sent",
        postings=list(move(PAYOUTS_UNDER_WAY, SETTLEMENT_AVAILABLE, amount, Dimensions())),
    )


@posts("a payout has arrived", Entry("bank", "payouts-under-way", ""))
def payout_arrived(*, merchant_id: UUID, source: str, at: datetime, amount: Money) -> Draft:
    return Draft(
        merchant_id=merchant_id,
        source=source,
        at=at,
        description="Payout arrived",
        postings=list(move(BANK, PAYOUTS_UNDER_WAY, amount, Dimensions())),
    )


@posts(
    "a payout comes back",
    Entry("settlement:available", "payouts-under-way", "", "it had not arrived"),
    Entry("settlement:available", "bank", "", "it had arrived"),
)
def payout_reversed(
    *, merchant_id: UUID, source: str, at: datetime, amount: Money, had_arrived: bool
) -> Draft:
    back_from = BANK if had_arrived else PAYOUTS_UNDER_WAY
    return Draft(
        merchant_id=merchant_id,
        source=source,
        at=at,
        description="Payout reversed",
        postings=list(move(SETTLEMENT_AVAILABLE, back_from, amount, Dimensions())),
    )
