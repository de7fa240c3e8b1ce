"""What partners have paid in advance: held for an order, then taken or given free again."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from ledger.posting_rules.kinds.settlement.domain import (
    MoneyMove,
    prepaid_captured,
    prepaid_topped_up,
)
from ledger.transactions.domain import Dimensions, Draft


class HoldState(StrEnum):
    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """`balance_minor` is what the partner's account has; `held_minor` of it is kept for orders."""

    merchant_id: UUID
    code: str
    currency: str
    credit_limit_minor: int
    held_minor: int
    balance_minor: int

    @property
    def available_minor(self) -> int:
        """What can be held yet, the credit limit counted in."""
        return self.balance_minor - self.held_minor + self.credit_limit_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """`reference` names it for the partner, once. Nobody captured it until `expires_at` (set when
    it is kept): it expires.
    """

    id: UUID
    merchant_id: UUID
    partner: str
    currency: str
    channel_id: UUID
    order_id: UUID | None
    reference: str
    amount_minor: int
    captured_minor: int
    state: HoldState
    created_at: datetime
    expires_at: datetime | None = None
    ended_at: datetime | None = None

    def captured(self, amount_minor: int | None) -> "Hold":
        """All of it, or less; the rest is free again. Raises HoldClosed, CaptureExceedsHold."""
        wanted = self.amount_minor if amount_minor is None else amount_minor
        if self.state is HoldState.CAPTURED and wanted == self.captured_minor:
            return self
        self._require_held()
        if wanted > self.amount_minor:
            raise CaptureExceedsHold(held=self.amount_minor)
        return replace(self, state=HoldState.CAPTURED, captured_minor=wanted)

    def released(self) -> "Hold":
        """Raises HoldClosed when it was captured."""
        if self.state in (HoldState.RELEASED, HoldState.EXPIRED):
            return self
        self._require_held()
        return replace(self, state=HoldState.RELEASED)

    def _require_held(self) -> None:
        if self.state is not HoldState.HELD:
            raise HoldClosed(f"the hold is {self.state} already", state=self.state.value)


def topped_up(
    *,
    merchant_id: UUID,
    partner: str,
    currency: str,
    amount_minor: int,
    reference: str,
    at: datetime,
) -> Draft:
    move = MoneyMove(
        cause=f"{partner}:{reference}",
        merchant_id=merchant_id,
        currency=currency,
        amount_minor=amount_minor,
        at=at,
    )
    return prepaid_topped_up(move, partner)


def taken(hold: Hold, at: datetime) -> Draft:
    """The partner has paid what its channel collected."""
    move = MoneyMove(
        cause=str(hold.id),
        merchant_id=hold.merchant_id,
        currency=hold.currency,
        amount_minor=hold.captured_minor,
        at=at,
        about=Dimensions(channel_id=hold.channel_id, order_id=hold.order_id),
    )
    return prepaid_captured(move, hold.partner, hold.channel_id)


class PartnerNotFound(NotFound):
    """There is no such partner in this currency, or it is not yours; open it first."""

    code = "prepaid_partner_not_found"


class HoldNotFound(NotFound):
    """There is no such hold, or it is not yours."""

    code = "prepaid_hold_not_found"


class PrepaidTooLow(Conflict):
    """The balance and the credit limit are not enough; top up, or hold less."""

    code = "prepaid_too_low"


class CreditLimitTooLow(Conflict):
    """More than this is used already; wait for a top-up, or set a higher limit."""

    code = "credit_limit_too_low"


class HoldClosed(Conflict):
    """The hold was captured or released, or has expired; make a new one."""

    code = "prepaid_hold_closed"


class HoldReferenceReused(Conflict):
    """Another hold has this reference; use a new one for another amount."""

    code = "prepaid_reference_reused"


class CaptureExceedsHold(Invalid):
    """No more than what is held can be captured."""

    code = "capture_exceeds_hold"
