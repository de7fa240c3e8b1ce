"""What a merchant gets of a sold line: pending until the warranty ends, then available.

In the merchant's books what the platform owes it is an asset: `settlement:pending`, `:available`
and `:reserved`; the platform's share is an expense, `platform-fees`. Both come out of what the
channel has collected. The platform's own books, if it keeps them here, have the same the other way
round.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ledger.posting_rules.kinds.settlement.domain import (
    LineMove,
    line_fee_shared_out,
    line_refund_shared_out,
    line_released,
    line_shared_out,
    reserve_released,
)
from ledger.settlement_rules.domain import (
    Bearer,
    Parts,
    Rule,
    SoldLine,
    bear,
    refund_parts,
)
from ledger.transactions.domain import Dimensions, Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredLine:
    """A line of an order that is over, as it is to be shared out."""

    line_id: UUID
    order_id: UUID
    sku: str
    sold: SoldLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that went back for a delivered line."""

    refund_id: UUID
    merchant_id: UUID
    line_id: UUID
    amount_minor: int
    at: datetime
    # What the channel gave back of its fee with it.
    fee_returned_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFee:
    """What a channel kept of a line's price. `is_owed_by_platform`: the channel's own rule says
    that the platform bears it, whatever the settlement rule says.
    """

    merchant_id: UUID
    line_id: UUID
    amount_minor: int
    is_owed_by_platform: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenClaim:
    """While a claim of its line is open, the line stays pending."""

    claim_id: UUID
    merchant_id: UUID
    line_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A line that was shared out. `pending_minor` and `reserved_minor` are what is left there."""

    line_id: UUID
    merchant_id: UUID
    order_id: UUID
    channel_id: UUID
    product_id: UUID | None
    sku: str
    currency: str
    rule_id: UUID
    gross_minor: int
    channel_fee_minor: int
    share_minor: int
    platform_minor: int
    merchant_minor: int
    fee_bearer: Bearer
    fee_is_receivable: bool = False
    refund_bearer: Bearer
    reserve_basis_points: int
    reserve_days: int
    settled_at: datetime
    available_at: datetime
    pending_minor: int
    reserved_minor: int = 0
    refunded_minor: int = 0
    fee_returned_minor: int = 0
    released_at: datetime | None = None
    reserved_until: datetime | None = None

    @property
    def about(self) -> Dimensions:
        return Dimensions(
            channel_id=self.channel_id,
            product_id=self.product_id,
            sku=self.sku,
            order_id=self.order_id,
            line_id=self.line_id,
        )


def split_of(line: DeliveredLine, rule: Rule, parts: Parts) -> Split:
    sold, terms = line.sold, rule.terms
    return Split(
        line_id=line.line_id,
        merchant_id=sold.merchant_id,
        order_id=line.order_id,
        channel_id=sold.channel_id,
        product_id=sold.product_id,
        sku=line.sku,
        currency=sold.currency,
        rule_id=rule.id,
        gross_minor=parts.gross_minor,
        channel_fee_minor=parts.channel_fee_minor,
        share_minor=parts.share_minor,
        platform_minor=parts.platform_minor,
        merchant_minor=parts.merchant_minor,
        fee_bearer=terms.channel_fee_bearer,
        refund_bearer=terms.refund_bearer,
        reserve_basis_points=terms.reserve_basis_points,
        reserve_days=terms.reserve_days,
        settled_at=sold.at,
        available_at=terms.available_at(sold.at),
        pending_minor=parts.merchant_minor,
    )


def shared_out(split: Split) -> Draft:
    """The merchant's part is pending, the platform has its share."""
    handed_over = -split.merchant_minor - split.platform_minor
    return line_shared_out(
        LineMove(
            **_line(split, split.line_id, split.settled_at),
            pending=split.merchant_minor,
            platform_fees=split.platform_minor,
            clearing=handed_over,
        )
    )


def fee_kept(split: Split, fee: LineFee) -> tuple[Split, Draft]:
    """The channel handed over less than the price: whoever bears the fee gets less of it."""
    bearer = Bearer.PLATFORM if fee.is_owed_by_platform else split.fee_bearer
    kept = min(fee.amount_minor, split.gross_minor)
    parts = bear(bearer, split.gross_minor, kept, split.share_minor)
    left, taken = _taken(split, split.merchant_minor - parts.merchant_minor)
    after = replace(
        left,
        channel_fee_minor=kept,
        fee_bearer=bearer,
        fee_is_receivable=fee.is_owed_by_platform,
        share_minor=parts.share_minor,
        platform_minor=parts.platform_minor,
        merchant_minor=parts.merchant_minor,
    )
    # A fee that the platform owes the merchant is paid by this; the platform's share stays.
    settled = kept if fee.is_owed_by_platform else 0
    move = LineMove(
        **_line(split, split.line_id, fee.at),
        **taken,
        platform_fees=parts.platform_minor - split.platform_minor + settled,
        receivable=-settled,
        clearing=kept,
    )
    return after, line_fee_shared_out(move)


def can_be_refunded(split: Split, refund: Refund) -> bool:
    """A fee that comes back goes to who bore it: who that is, is told with the fee."""
    return not refund.fee_returned_minor or split.channel_fee_minor > 0


def refunded(split: Split, refund: Refund) -> tuple[Split, Draft]:
    """The merchant's part comes from what is pending of the line, then from what is held back of
    it, then from what is available, which may become negative. What the channel gives back of its
    fee goes to who bore it: no more than was shared out, for a fixed fee may be beyond the price.
    """
    fee_left = max(split.channel_fee_minor - split.fee_returned_minor, 0)
    fee_returned = min(refund.fee_returned_minor, fee_left)
    platform, merchant = refund_parts(
        split.refund_bearer,
        gross_minor=split.gross_minor,
        share_minor=split.share_minor,
        before_minor=split.refunded_minor,
        refund_minor=refund.amount_minor,
    )
    to_platform, to_merchant = refund_parts(
        split.fee_bearer,
        gross_minor=split.gross_minor,
        share_minor=split.share_minor,
        before_minor=split.fee_returned_minor,
        refund_minor=fee_returned,
    )
    left, taken = _taken(split, merchant - to_merchant)
    after = replace(
        left,
        refunded_minor=split.refunded_minor + refund.amount_minor,
        fee_returned_minor=split.fee_returned_minor + fee_returned,
    )
    settled = fee_returned if split.fee_is_receivable else 0
    move = LineMove(
        **_line(split, refund.refund_id, refund.at),
        **taken,
        platform_fees=to_platform - settled - platform,
        receivable=settled,
        clearing=refund.amount_minor - fee_returned,
    )
    return after, line_refund_shared_out(move)


def released(split: Split, now: datetime, held_back_minor: int) -> tuple[Split, Draft]:
    """What was pending is available, but for what is held back."""
    after = replace(
        split,
        pending_minor=0,
        reserved_minor=held_back_minor,
        released_at=now,
        reserved_until=now + timedelta(days=split.reserve_days) if held_back_minor else None,
    )
    move = LineMove(
        **_line(split, split.line_id, now),
        pending=-split.pending_minor,
        reserved=held_back_minor,
        available=split.pending_minor - held_back_minor,
    )
    return after, line_released(move)


def reserve_freed(split: Split, now: datetime) -> tuple[Split, Draft]:
    """What was held back is available."""
    after = replace(split, reserved_minor=0, reserved_until=None)
    move = LineMove(
        **_line(split, split.line_id, now),
        reserved=-split.reserved_minor,
        available=split.reserved_minor,
    )
    return after, reserve_released(move)


def _taken(split: Split, amount_minor: int) -> tuple[Split, dict[str, Any]]:
    """Takes so much of the merchant's: pending first, then held back, then available. A negative
    amount is given: it is pending while the line is, and then available. The moves are arguments.
    """
    if amount_minor < 0 and split.released_at is None:
        pending, reserved = amount_minor, 0
    else:
        wanted = max(amount_minor, 0)
        pending = min(wanted, split.pending_minor)
        reserved = min(wanted - pending, split.reserved_minor)
    left = replace(
        split,
        pending_minor=split.pending_minor - pending,
        reserved_minor=split.reserved_minor - reserved,
    )
    available = pending + reserved - amount_minor
    return left, {"pending": -pending, "reserved": -reserved, "available": available}


def _line(split: Split, cause_id: UUID, at: datetime) -> dict[str, Any]:
    """What all moves of a line have in common, as arguments."""
    return {
        "cause_id": cause_id,
        "merchant_id": split.merchant_id,
        "channel_id": split.channel_id,
        "currency": split.currency,
        "about": split.about,
        "at": at,
    }
