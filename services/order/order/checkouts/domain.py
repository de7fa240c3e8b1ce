"""A payment that was begun with a provider. Its id is our reference there, at every attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money


class CheckoutState(StrEnum):
    OPENING = "opening"  # the provider may or may not know of it yet
    OPEN = "open"
    PAID = "paid"
    FAILED = "failed"
    CLOSED = "closed"
    MANUAL = "manual"  # nothing clear was heard of it for too long: somebody must look


@dataclass(frozen=True, slots=True)
class Checkout:
    """`handover` is what the buyer's side needs to go on, as the provider gave it; all the rest is
    kept because asking the provider again must be asking for the very same.
    """

    id: UUID
    order_id: UUID
    merchant_id: UUID
    account_id: UUID
    provider: str
    method: str
    amount: Money
    state: CheckoutState
    expires_at: datetime
    return_url: str = ""
    payer: str = ""
    session: str = ""
    handover: Mapping[str, object] = field(default_factory=dict)
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """A checkout that is to be asked for now, by the database's time."""

    checkout: Checkout
    now: datetime

    @property
    def is_over(self) -> bool:
        return self.now >= self.checkout.expires_at


# Seconds until the provider is asked again, when no callback came.
_ASK_AFTER_SECONDS = (30, 60, 120, 300, 600, 1_800)


def next_ask(asked: int, now: datetime, expires_at: datetime, last_ask_seconds: int) -> float:
    """Seconds until the next question: ever more rarely, yet once shortly before the end, and then
    again after it, to close what nobody paid.
    """
    pause = float(_ASK_AFTER_SECONDS[min(asked, len(_ASK_AFTER_SECONDS) - 1)])
    left = (expires_at - now).total_seconds()
    for moment in (left - last_ask_seconds, left + 1):
        if 0 < moment < pause:
            return moment
    return pause


class CheckoutNotFound(NotFound):
    """There is no such checkout, or it is not yours."""

    code = "checkout_not_found"


class CheckoutTooLate(Conflict):
    """The order waits for no payment any more: it is paid or has ended."""

    code = "checkout_too_late"


class UnknownMethod(Invalid):
    """The provider has no such way to pay; those it has are listed."""

    code = "unknown_payment_method"


class TooManyCheckouts(Conflict):
    """The payment of this order was begun too often; place a new order."""

    code = "too_many_checkouts"


class NothingToPay(Conflict):
    """The order costs nothing, so no payment can be begun: tell a payment of nothing
    (`POST /v1/orders/{id}/payments` with an amount of 0), from any channel.
    """

    code = "nothing_to_pay"
