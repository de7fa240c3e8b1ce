"""What every sender of messages must be. One folder under `fulfillment/senders/` each.

A sender says honestly what it knows. `Refused` and `Later` are definite: nothing arrived. Anything
that may have arrived is `Unclear`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Protocol, runtime_checkable
from uuid import UUID

from fulfillment.templates.domain import Channel


@dataclass(frozen=True, slots=True)
class SenderAccount:
    """As whom it is sent: one sender of a merchant, or this service's own. `settings` are the
    sender's, checked; `id` is None for this service's own.
    """

    sender: str
    settings: Mapping[str, object]
    secret: str = field(default="", repr=False)
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, worded. The same `message_id` is the same message, however often it is sent."""

    message_id: UUID
    merchant_id: UUID
    order_id: UUID
    customer_id: str
    to: str = field(repr=False)
    language: str = "en"
    subject: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    gateway_template: str = ""
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side has taken it over; `reference` is what it calls it."""

    reference: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """It was not taken, and may be in a while."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not taken and never will be, to this address or worded like this."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have been taken."""

    reason: str


SendOutcome = Sent | Later | Refused | Unclear


CLOCKS_DIFFER = timedelta(minutes=10)
"""So far apart the other side's clock and ours may be."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Of a letter that may have been taken: when the first sending began of which nobody knows
    what came, and the last one. Where that was before midnight, it is filed under that day.
    """

    first: datetime
    last: datetime

    @property
    def earliest(self) -> datetime:
        """By the other side's clock, whichever way that is wrong."""
        return self.first - CLOCKS_DIFFER

    def days(self, zone: tzinfo, now: datetime) -> list[date]:
        """Every day of `zone` on which it may have been taken, the latest first."""
        last, first = now.astimezone(zone).date(), self.earliest.astimezone(zone).date()
        return [last - timedelta(days=n) for n in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the other side says later of something it took; `reason` is empty unless it is lost."""

    reference: str
    reason: str = ""


class SettingsRefused(ValueError):
    """A sender's settings are not as it needs them; the text says which, never their values."""


@runtime_checkable
class HearsStatus(Protocol):
    """A sender whose other side calls back, at `SenderParts.callback_url` of the account."""

    def hear(
        self, account: SenderAccount, url: str, headers: Mapping[str, str], body: bytes
    ) -> Heard | None:
        """None when the call was not signed with the account's secret."""
        ...


class Sender(Protocol):
    """`repeats_safely`: the same letter sent twice does no harm that matters (a receiver can tell
    by its id), so an unclear outcome is followed by the same again. `finds`: it can say later what
    became of a letter; elsewhere an unclear one is never sent again. `for_merchants`: a merchant
    may have an account of its own with it. The setting that says where letters go is named `host`
    or `endpoint`: to another one a kept secret does not go along.
    """

    channel: Channel
    repeats_safely: bool
    finds: bool
    for_merchants: bool

    def check(self, settings: Mapping[str, object], secret: str) -> Mapping[str, object]:
        """The settings with their defaults. Raises SettingsRefused."""
        ...

    async def send(self, account: SenderAccount, letter: Letter) -> SendOutcome:
        """Raises nothing for what the other side does. Called outside any transaction."""
        ...

    async def find(self, account: SenderAccount, letter: Letter, doubt: Doubt) -> SendOutcome:
        """What became of a letter whose outcome was unclear: `Sent`, `Later` when it definitely did
        not arrive, else `Unclear`. Asked only of those that find.
        """
        ...
