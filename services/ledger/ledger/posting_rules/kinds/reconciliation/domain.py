"""What people decide about the differences of statements. Called by the reconciliations slice."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.money import Money
from ledger.accounts.domain import ROUNDING, channel_clearing
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import Dimensions, Draft

ABOUT = "channel, order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounded:
    """`beyond`: what the channel owes beyond what the books say; negative when it owes less."""

    merchant_id: UUID
    channel_id: UUID
    order_id: UUID
    beyond: Money
    at: datetime


@posts(
    "a difference of a statement is closed as rounding",
    Entry("channel-clearing:<channel>", "rounding", ABOUT, "the statement says more"),
    Entry("rounding", "channel-clearing:<channel>", ABOUT, "it says less"),
)
def statement_rounded(rounded: Rounded) -> Draft:
    """Once for an order: two statements that list the same payment differ by the same cent."""
    about = Dimensions(channel_id=rounded.channel_id, order_id=rounded.order_id)
    return Draft(
        merchant_id=rounded.merchant_id,
        source=f"statement-rounding:{rounded.order_id}",
        at=rounded.at,
        description="Difference of a statement closed as rounding",
        postings=list(move(channel_clearing(rounded.channel_id), ROUNDING, rounded.beyond, about)),
    )
