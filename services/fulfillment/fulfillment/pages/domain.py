"""What a buyer sees, and in which language."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from fulfillment.claims.domain import ClaimState, PageClaim
from fulfillment.deliveries.domain import Box, Delivery, DeliveryState, Request, Unit
from fulfillment.page_settings.domain import PageSettings, StepUp
from kit.errors import DomainError, ErrorKind, Invalid, Limited
from kit.money import Money

UNITS_PER_PART = 100
"""Units of each line that one part of the page shows."""
PART_MAX = 1_000
USER_AGENT_LENGTH_MAX = 300
EXPIRES_SOON = timedelta(days=14)
_WEIGHT_PREFIX = "q="


class Language(StrEnum):
    """The page's languages; the value is its HTML `lang`."""

    CHINESE = "zh"
    ENGLISH = "en"


_LANGUAGES = frozenset(language.value for language in Language)


class Mood(StrEnum):
    """How the whole order stands, in a word."""

    READY = "ready"
    PARTLY = "partly"
    WAITING = "waiting"
    TROUBLE = "trouble"
    FAILED = "failed"
    REFUNDED = "refunded"


class Validity(StrEnum):
    GOOD = "good"
    SOON = "soon"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Recommended:
    """A product that goes well with the order; `url` is empty where the shop names none."""

    name: str
    price: Money
    url: str


@dataclass(frozen=True, slots=True)
class BuyerPage:
    """One order as its buyer sees it at `now`: every line, and of its units those of one part."""

    token: str
    request: Request
    deliveries: tuple[Delivery, ...]
    now: datetime
    settings: PageSettings
    part: int = 1
    claims: tuple[PageClaim, ...] = ()

    @property
    def wants_code(self) -> bool:
        """Whether something on it is opened only with a one-time code."""
        skus = {delivery.line.sku for delivery in self.deliveries}
        return any(self.settings.step_up_of(sku) is StepUp.CODE for sku in skus)

    @property
    def parts(self) -> int:
        """How many parts the longest line has; 1 for nearly every order."""
        longest = max((delivery.line.quantity for delivery in self.deliveries), default=0)
        return max(1, -(-longest // UNITS_PER_PART))

    @property
    def states(self) -> dict[UUID, str]:
        """How each line stands, as the page tells it."""
        return {delivery.id: shown_state(delivery) for delivery in self.deliveries}

    @property
    def is_moving(self) -> bool:
        """True while something on it may still change by itself."""
        is_claimed = any(claim.state is ClaimState.OPENED for claim in self.claims)
        return is_claimed or not set(self.states.values()) <= _AT_REST

    @property
    def first(self) -> int:
        """The number of the first unit of each line on this part."""
        return (self.part - 1) * UNITS_PER_PART + 1

    def numbered(self, delivery: Delivery) -> Iterator[tuple[int, Unit]]:
        """The line's units with their numbers; one that replaces another has the other's."""
        number = self.first - 1
        for unit in delivery.units:
            number += unit.replaces is None
            yield number, unit

    def claim_of(self, unit: Unit) -> str:
        """How the unit's complaint stands; empty when there is none, or none any more."""
        states = {claim.unit_id: claim.state for claim in self.claims}
        state = states.get(unit.unit_id, ClaimState.WITHDRAWN)
        return "" if state is ClaimState.WITHDRAWN else state.value

    @property
    def mood(self) -> Mood:
        states = set(self.states.values())
        if states <= {DeliveryState.DELIVERED.value}:
            return Mood.READY
        if states == {REFUNDED}:
            return Mood.REFUNDED
        if states & {DeliveryState.PENDING.value, DeliveryState.UNKNOWN.value}:
            return Mood.PARTLY if DeliveryState.DELIVERED.value in states else Mood.WAITING
        return Mood.TROUBLE if DeliveryState.DELIVERED.value in states else Mood.FAILED

    def validity(self, unit: Unit) -> Validity:
        """Of a unit that expires."""
        if unit.expires_at is None or unit.expires_at - self.now > EXPIRES_SOON:
            return Validity.GOOD
        return Validity.SOON if unit.expires_at > self.now else Validity.OVER


REFUNDED = "refunded"
_AT_REST = frozenset({DeliveryState.DELIVERED.value, REFUNDED})


def shown_state(delivery: Delivery) -> str:
    """The delivery's state; of a line that failed also whether its money is back."""
    is_back = delivery.state is DeliveryState.FAILED and delivery.refunded_at is not None
    return REFUNDED if is_back else delivery.state.value


@dataclass(frozen=True, slots=True)
class Revealed:
    """A unit's content for one pair of eyes, and how often it was seen."""

    box: Box
    views: int
    last_viewed_at: datetime


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whose page it is: the shop and the shop's customer; how many units they bought, and what the
    one that is asked for is of.
    """

    merchant_id: UUID
    customer_id: str
    units: int
    sku: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """From where a code is asked for, as the vault's log will know it."""

    ip: str | None
    user_agent: str | None

    @classmethod
    def seen_as(cls, address: IPv4Address | IPv6Address | None, user_agent: str | None) -> "Viewer":
        """What a connection and a header say, reduced to what a log can hold."""
        plain = "".join(c for c in user_agent or "" if c.isprintable())
        ip = None if address is None else str(address)
        return cls(ip, plain[:USER_AGENT_LENGTH_MAX] or None)


def choose_language(asked: str | None, accepted: str | None, fallback: str) -> Language:
    """The language asked for by the switch, else the browser's, else the order's, else English."""
    for tag in (asked, *_by_weight(accepted or ""), fallback):
        primary = (tag or "").strip().lower().partition("-")[0].partition("_")[0]
        if primary in _LANGUAGES:
            return Language(primary)
    return Language.ENGLISH


def _by_weight(header: str) -> Sequence[str]:
    """The tags of an Accept-Language header, the most wanted first."""
    weighted = []
    for position, item in enumerate(header[:500].split(",")):
        tag, _, weight = item.partition(";")
        weighted.append((-_weight(weight), position, tag.strip()))
    return [tag for weight, _, tag in sorted(weighted) if weight < 0]


def _weight(text: str) -> float:
    text = text.strip()
    if not text.startswith(_WEIGHT_PREFIX):
        return 1.0
    try:
        return float(text.removeprefix(_WEIGHT_PREFIX))
    except ValueError:
        return 0.0


class UnitNotOnPage(DomainError):
    """This page has no such unit."""

    code = "unit_not_found"
    kind = ErrorKind.NOT_FOUND


class UnitWithheld(DomainError):
    """The seller has stopped this unit; ask the seller."""

    code = "unit_withheld"
    kind = ErrorKind.CONFLICT


class StepUpRequired(DomainError):
    """The shop wants a one-time code first: `POST /d/{token}/step-up`, then send the proof."""

    code = "step_up_required"
    kind = ErrorKind.DENIED


class UnusableKey(Invalid):
    """Nothing can be sealed for this public key; make a fresh key pair."""

    code = "unusable_public_key"


class TooManyReveals(Limited):
    """Too many codes were opened on this page at once; wait a moment."""

    code = "too_many_reveals"
