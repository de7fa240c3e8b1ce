"""Between the platform, its merchants and their partners. Called by the settlement slices, posted
through TransactionService or PlatformBooks; each source is posted once.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger.accounts.domain import (
    BANK,
    PAYOUTS_UNDER_WAY,
    PLATFORM_FEES,
    PLATFORM_RECEIVABLE,
    SETTLEMENT_AVAILABLE,
    SETTLEMENT_PENDING,
    SETTLEMENT_RESERVED,
    AccountRef,
    channel_clearing,
    prepaid_balance,
)
from ledger.posting_rules.domain import Entry, posts
from ledger.transactions.domain import NO_DIMENSIONS, Dimensions, Draft, Posting

LINE = "channel, order, line, product, SKU"
CLEARING = "channel-clearing:<channel>"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMove:
    """What moves for a sold line. Amounts are signed: debits are positive. `cause_id` is the line
    or the refund.
    """

    cause_id: UUID
    merchant_id: UUID
    channel_id: UUID
    currency: str
    about: Dimensions
    at: datetime
    pending: int = 0
    reserved: int = 0
    available: int = 0
    platform_fees: int = 0
    receivable: int = 0
    clearing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyMove:
    """An amount that moves as a whole. `cause` names the payout, the payment or the hold."""

    cause: str
    merchant_id: UUID
    currency: str
    amount_minor: int
    at: datetime
    about: Dimensions = NO_DIMENSIONS


@posts(
    "a line is shared out",
    Entry("settlement:pending", CLEARING, LINE, "the merchant's part"),
    Entry("platform-fees", CLEARING, LINE, "the platform's share"),
)
def line_shared_out(move: LineMove) -> Draft:
    return _of_line("line-split", "Sale shared out", move)


@posts(
    "the channel's fee on a line that is shared out",
    Entry(CLEARING, "settlement:pending", LINE, "borne by the merchant; later from what is left"),
    Entry(CLEARING, "platform-fees", LINE, "borne by the platform"),
    Entry(CLEARING, "platform-receivable", LINE, "the channel's own rule says the platform"),
)
def line_fee_shared_out(move: LineMove) -> Draft:
    return _of_line("line-fee", "Channel fee shared out", move)


@posts(
    "a refund of a line that is shared out",
    Entry(CLEARING, "settlement:pending", LINE, "the merchant's part: first what is pending"),
    Entry(CLEARING, "settlement:reserved", LINE, "then what is held back"),
    Entry(CLEARING, "settlement:available", LINE, "then what is available"),
    Entry(CLEARING, "platform-fees", LINE, "the platform's part"),
    Entry("platform-receivable", CLEARING, LINE, "a fee it owed that the channel gave back"),
)
def line_refund_shared_out(move: LineMove) -> Draft:
    return _of_line("split-refunded", "Refund shared out", move)


@posts(
    "the warranty of a line ends",
    Entry("settlement:available", "settlement:pending", LINE),
    Entry("settlement:reserved", "settlement:pending", LINE, "what is held back"),
)
def line_released(move: LineMove) -> Draft:
    return _of_line("split-released", "Warranty over", move)


@posts(
    "what was held back of a line is free",
    Entry("settlement:available", "settlement:reserved", LINE),
)
def reserve_released(move: LineMove) -> Draft:
    return _of_line("reserve-released", "Reserve released", move)


@posts("a payout is approved", Entry("payouts-under-way", "settlement:available", ""))
def payout_approved(move: MoneyMove) -> Draft:
    return _of_money("payout-approved", PAYOUTS_UNDER_WAY, SETTLEMENT_AVAILABLE, move)


@posts("a payout has arrived", Entry("bank", "payouts-under-way", ""))
def payout_paid(move: MoneyMove) -> Draft:
    return _of_money("payout-paid", BANK, PAYOUTS_UNDER_WAY, move)


@posts("a payout fails", Entry("settlement:available", "payouts-under-way", ""))
def payout_failed(move: MoneyMove) -> Draft:
    return _of_money("payout-failed", SETTLEMENT_AVAILABLE, PAYOUTS_UNDER_WAY, move)


@posts("a payout comes back after it had arrived", Entry("settlement:available", "bank", ""))
def payout_returned(move: MoneyMove) -> Draft:
    return _of_money("payout-returned", SETTLEMENT_AVAILABLE, BANK, move)


@posts("a partner pays in advance", Entry("bank", "prepaid:<partner>", ""))
def prepaid_topped_up(move: MoneyMove, partner: str) -> Draft:
    return _of_money("prepaid-top-up", BANK, prepaid_balance(partner), move)


@posts(
    "an order is paid from a prepaid balance",
    Entry("prepaid:<partner>", CLEARING, "channel, order"),
)
def prepaid_captured(move: MoneyMove, partner: str, channel_id: UUID) -> Draft:
    clearing = channel_clearing(channel_id)
    return _of_money("prepaid-captured", prepaid_balance(partner), clearing, move)


_WORDS = {
    "payout-approved": "Payout approved",
    "payout-paid": "Payout paid",
    "payout-failed": "Payout failed",
    "payout-returned": "Payout returned",
    "prepaid-top-up": "Prepaid balance topped up",
    "prepaid-captured": "Paid from prepaid balance",
}


def _of_line(kind: str, words: str, move: LineMove) -> Draft:
    moves: tuple[tuple[AccountRef, int], ...] = (
        (SETTLEMENT_PENDING, move.pending),
        (SETTLEMENT_RESERVED, move.reserved),
        (SETTLEMENT_AVAILABLE, move.available),
        (PLATFORM_FEES, move.platform_fees),
        (PLATFORM_RECEIVABLE, move.receivable),
        (channel_clearing(move.channel_id), move.clearing),
    )
    return Draft(
        merchant_id=move.merchant_id,
        source=f"{kind}:{move.cause_id}",
        at=move.at,
        description=words,
        postings=[
            Posting(account, move.currency, amount, move.about)
            for account, amount in moves
            if amount
        ],
    )


def _of_money(kind: str, debit: AccountRef, credit: AccountRef, move: MoneyMove) -> Draft:
    return Draft(
        merchant_id=move.merchant_id,
        source=f"{kind}:{move.cause}",
        at=move.at,
        description=_WORDS[kind],
        postings=[
            Posting(debit, move.currency, move.amount_minor, move.about),
            Posting(credit, move.currency, -move.amount_minor, move.about),
        ],
    )
