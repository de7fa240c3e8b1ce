"""What is told to buyers, how far it got, and why not.

A message goes from channel to channel (its *rungs*) until one takes it. Its state says where it
ended; its attempts say what happened on the way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from fulfillment.templates.domain import Channel
from kit.errors import Conflict, Invalid, Limited, NotFound
from kit.money import Money

_NONE: Mapping[str, str | int] = MappingProxyType({})


class MessageState(StrEnum):
    """`undeliverable`: there was no way at all. `bounced`: taken, and given back later."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"
    UNDELIVERABLE = "undeliverable"


class AttemptState(StrEnum):
    """`sending` is written before the call; `skipped`: a channel that could not be tried."""

    SENDING = "sending"
    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    SKIPPED = "skipped"
    BOUNCED = "bounced"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something a buyer is to be told. The same order, purpose and `key` is the same message: a
    repeat changes nothing. `key` is the delivery's id unless something else tells it apart (a
    claim's id). `values` are those of the purpose's file; they lie sealed.
    """

    merchant_id: UUID
    order_id: UUID
    purpose: str
    values: Mapping[str, str | int] = field(default_factory=lambda: _NONE, repr=False)
    delivery_id: UUID | None = None
    key: str = ""

    @property
    def unique_key(self) -> str:
        return self.key or (str(self.delivery_id) if self.delivery_id else "")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One channel tried, or passed over, and what came of it. `to` is a mask."""

    attempt_no: int
    channel: Channel
    sender: str
    state: AttemptState
    reason: str
    reference: str
    to: str
    template: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Message:
    """`channel` and `to` (a mask) are those of the last attempt."""

    id: UUID
    merchant_id: UUID
    order_id: UUID
    delivery_id: UUID | None
    purpose: str
    state: MessageState
    channel: Channel | None
    to: str
    reason: str
    created_at: datetime
    settled_at: datetime | None
    attempts: tuple[Attempt, ...] = ()


def as_text(money: Money) -> str:
    """`19.90 CNY`."""
    return f"{money.decimal} {money.currency}"


class MessageNotFound(NotFound):
    """There is no such message, or it is not yours."""

    code = "message_not_found"


class NoContact(Invalid):
    """Nothing is known (any more) of how to reach this order's buyer."""

    code = "no_contact"


class AddressRefused(Invalid):
    """This is no address that can be written to; see `field`."""

    code = "address_refused"


class NothingToSend(Conflict):
    """Nothing of this order is decided yet: what there is to tell is told as soon as it is."""

    code = "nothing_to_send"


class NotAReport(Invalid):
    """This is no report of a mail that failed for good, or it names no mail sent from here."""

    code = "not_a_report"


class TooManyResends(Limited):
    """This order was sent again too often; wait as Retry-After says."""

    code = "too_many_resends"
