"""Merchants own goods and orders; a channel is one way a merchant sells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from kit.errors import Conflict, Denied, NotFound
from kit.money import share_out


class FeeBearer(StrEnum):
    """Who pays what a channel costs."""

    MERCHANT = "merchant"
    PLATFORM = "platform"


class FeeOnRefund(StrEnum):
    """What a channel does with its fee when money goes back."""

    KEPT = "kept"
    RETURNED = "returned"  # in proportion to what goes back


class LatePayments(StrEnum):
    """Which ended orders a whole price that comes late may still buy; of others it goes back."""

    GIVE_BACK = "give_back"  # none
    EXPIRED = "expired"  # nobody decided against them: only their time was over
    ENDED = "expired_or_cancelled"  # also those that the shop or the buyer cancelled


class RiskDefault(StrEnum):
    """What becomes of a paid order that risk says nothing about."""

    WAIT = "wait"  # for as long as it takes
    ALLOW = "allow"
    HOLD = "hold"  # until risk says something, or a person


@dataclass(frozen=True, slots=True)
class Merchant:
    """A suspended one takes no orders, and its API keys open nothing."""

    id: UUID
    name: str
    created_at: datetime
    suspended_at: datetime | None = None
    suspended_reason: str = ""


@dataclass(frozen=True, slots=True)
class FeeRule:
    """What a channel costs per order: a share in basis points (1/100 of a percent) of the total and
    a fixed sum in minor units of the order's currency.
    """

    basis_points: int = 0
    fixed_minor: int = 0
    bearer: FeeBearer = FeeBearer.MERCHANT
    on_refund: FeeOnRefund = FeeOnRefund.KEPT

    def parts(self, totals: Sequence[int]) -> list[int]:
        """The fee on an order, shared out to its lines by their totals. The share is rounded to the
        nearest minor unit, half of one up. An order that costs nothing bears no fee.
        """
        whole = sum(totals)
        if not whole or not (self.basis_points or self.fixed_minor):
            return [0] * len(totals)
        share = (whole * self.basis_points + _HALF) // _WHOLE
        return share_out(share + self.fixed_minor, totals)


_WHOLE = 10_000
_HALF = _WHOLE // 2
NO_FEE = FeeRule()


@dataclass(frozen=True, slots=True)
class Channel:
    """`kind` is `shop`, `partner` or a channel adapter's name. The word of a trusted channel that
    money came is believed: it placed the buyer's payment itself."""

    id: UUID
    merchant_id: UUID
    name: str
    kind: str
    is_trusted: bool
    is_active: bool
    created_at: datetime
    price_list_id: UUID | None = None
    fee: FeeRule = NO_FEE
    # Only these SKUs, unless empty; never those denied.
    allowed_skus: frozenset[str] = frozenset()
    denied_skus: frozenset[str] = frozenset()
    region: str | None = None
    # Only units that stay valid at least so long are sold here.
    min_valid_seconds: int = 0
    late_payments: LatePayments = LatePayments.EXPIRED
    # What counts once risk was silent for so long about a paid order.
    risk_default: RiskDefault = RiskDefault.WAIT
    risk_wait_seconds: int = 30
    is_suspended: bool = False
    # What is tried for a short line of a product that does not say: the channel's, else the
    # merchant's; a document as a product's `shortage`.
    shortage: Mapping[str, Any] | None = None
    merchant_shortage: Mapping[str, Any] | None = None

    @property
    def default_shortage(self) -> Mapping[str, Any] | None:
        return self.merchant_shortage if self.shortage is None else self.shortage

    def sells(self, sku: str) -> bool:
        is_allowed = not self.allowed_skus or sku in self.allowed_skus
        return is_allowed and sku not in self.denied_skus

    def check_takes(self, skus: Iterable[str]) -> None:
        """Raises MerchantSuspended, ChannelClosed, NotSoldHere naming the SKUs."""
        if self.is_suspended:
            raise MerchantSuspended
        if not self.is_active:
            raise ChannelClosed(channel_id=str(self.id))
        refused = sorted({sku for sku in skus if not self.sells(sku)})
        if refused:
            raise NotSoldHere(f"not sold here: {', '.join(refused)}", skus=refused)


class MerchantNotFound(NotFound):
    """There is no such merchant."""

    code = "merchant_not_found"


class MerchantSuspended(Denied):
    """The platform has suspended this merchant: it takes no orders until it is resumed."""

    code = "merchant_suspended"


class ChannelNotFound(NotFound):
    """There is no such channel, or it is not yours."""

    code = "channel_not_found"


class ChannelClosed(Conflict):
    """The channel takes no new orders."""

    code = "channel_closed"


class NotSoldHere(Conflict):
    """The channel's lists of products leave these SKUs out; sell them through another channel or
    change `allowed_skus` and `denied_skus` of this one.
    """

    code = "not_sold_here"


class ChannelNotTrusted(Denied):
    """Only a trusted channel's word on payment is believed; others pay through a provider."""

    code = "channel_not_trusted"
