"""An assessment: what is known about a purchase, what the rules say, what is decided."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from risk.facts import FactKind, Facts, FactType, FactValue
from risk.rules.domain import NO_LIMITS, Action, Limits, Outcome, shorten
from risk.velocity.domain import Purchase, Velocity, address_key, network_key, normal_address

REASON_LENGTH_MAX = 2_000
"""Characters."""
_CLOCKS_DIFFER = timedelta(minutes=10)
"""Those of processes, which make ids, and of the database by less."""
RULES_TOLD_MAX = 50
"""Fired rules named in the event; the assessment keeps all of them."""
CHALLENGE_WITHOUT_CONTACT = "a code is due and the buyer gave no contact to send it to"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A decision with everything it was made from. `duration_us` is the time of facts and rules."""

    id: UUID
    purchase: Purchase
    facts: Facts
    outcomes: Sequence[Outcome]
    asked: Action
    """What the rules ask for."""
    duration_us: int
    limits: Limits = NO_LIMITS
    shadow_asked: Action | None = None
    """What would be asked for, were the shadow rules enforced; None when none of them fired."""
    rule_set_id: UUID | None = None
    """Which versions of which rules were judged."""

    @property
    def decision(self) -> Action:
        """What happens: who cannot be sent a code is held for review."""
        return Action.HOLD if self.lacks_contact else self.asked

    @property
    def lacks_contact(self) -> bool:
        """A code is due, and there is nowhere to send it."""
        return self.asked is Action.CHALLENGE and not self.facts["has_contact"]

    @property
    def is_plain_allow(self) -> bool:
        """Nothing stands in its way, and nothing is bounded."""
        return self.decision is Action.ALLOW and self.limits == NO_LIMITS

    @property
    def deciding(self) -> list[Outcome]:
        """The enforced rules that fired."""
        return [outcome for outcome in self.outcomes if outcome.is_enforced]

    def reason(self) -> str:
        """Why it was not simply allowed, for a reviewer."""
        said = [f"{outcome.name}: {outcome.explain()}" for outcome in self.deciding]
        if self.lacks_contact:
            said.insert(0, CHALLENGE_WITHOUT_CONTACT)
        return shorten("; ".join(said), REASON_LENGTH_MAX)

    def recorded_outcomes(self) -> list[dict[str, Any]]:
        """As they are stored."""
        return recorded(self.outcomes)


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """An assessment as it was recorded."""

    id: UUID
    merchant_id: UUID
    purchase_id: UUID
    order_id: UUID | None
    reference: str
    decision: Action
    asked: Action
    facts: dict[str, Any]
    outcomes: list[dict[str, Any]]
    duration_us: int
    assessed_at: datetime
    limits: Limits
    shadow_asked: Action | None
    rule_set_id: UUID | None


@dataclass(frozen=True, slots=True)
class Replay:
    """A recorded decision, made again from the same facts and the same versions of rules."""

    stored: StoredAssessment
    asked: Action
    limits: Limits
    outcomes: list[dict[str, Any]]
    duration_us: int

    @property
    def is_same(self) -> bool:
        before = (self.stored.asked, self.stored.limits, self.stored.outcomes)
        return before == (self.asked, self.limits, self.outcomes)


@dataclass(frozen=True, slots=True)
class ShadowRule:
    """How a shadow rule did beside the live ones."""

    rule_id: UUID
    version: int
    name: str
    action: str
    fired: int
    failed: int
    live: dict[str, int]
    """What the live rules asked for, where it fired -> how often."""


@dataclass(frozen=True, slots=True)
class ShadowReport:
    judged: int
    fired: int
    """Assessments in which a shadow rule fired."""
    differed: int
    """Of these, where the decision would have been another one."""
    rules: list[ShadowRule]


def recorded(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Outcomes as JSON knows them; the same again when they come back from the database."""
    return [outcome.record() for outcome in outcomes]


_B, _I, _S, _L = FactType.BOOL, FactType.INT, FactType.STRING, FactType.STRINGS
PURCHASE_FACTS: Sequence[FactKind] = (
    FactKind("amount_minor", _I, "total of the order in minor units"),
    FactKind("currency", _S, "ISO 4217 code of the total"),
    FactKind("quantity", _I, "units in all lines together"),
    FactKind("line_count", _I, "lines of the order"),
    FactKind("skus", _L, "SKU of each line"),
    FactKind("products", _L, "product id of each line, empty when a shop asks without"),
    FactKind("quantities", FactType.INTS, "units of each line"),
    FactKind("channel_id", _S, "channel the order came through"),
    FactKind("source", _S, "'order' for orders placed here, 'shop' when a shop asks"),
    FactKind(
        "placed_at",
        FactType.TIMESTAMP,
        "when the order was placed; placed_at.getHours('Asia/Shanghai') and "
        "placed_at.getDayOfWeek('Asia/Shanghai') (0 is Sunday) tell the time in a zone",
    ),
    FactKind("customer_id", _S, "the shop's id of the buyer, empty when unknown"),
    FactKind("has_customer", _B, "the buyer is known"),
    FactKind("ip", _S, "address of the buyer as normalised text, empty when unknown"),
    FactKind("has_ip", _B, "the address is known"),
    FactKind("is_ipv6", _B, "the address is one of IPv6"),
    FactKind("ip_24", _S, "the address's network: /24, of IPv6 /48; empty when unknown"),
    FactKind("ip_64", _S, "the address itself, of IPv6 its /64; empty when unknown"),
    FactKind("device_id", _S, "device of the buyer, empty when unknown"),
    FactKind("has_device", _B, "the device is known"),
    FactKind("contact_hash", _S, "keyed hash of the mail address or phone number"),
    FactKind("has_contact", _B, "a mail address or phone number was given"),
    FactKind("payer_hash", _S, "the shop's hash of the card or its holder, empty when unknown"),
    FactKind("has_payer", _B, "the card-holder is known"),
    FactKind("has_account_age", _B, "the shop told when the account was made"),
    FactKind("account_age_seconds", _I, "age of the account, 0 when unknown"),
    FactKind(
        "first_purchase",
        _B,
        "no purchase of this buyer was seen before; true for an unknown buyer",
        True,  # noqa: FBT003 - a value, not a switch
    ),
    FactKind("earlier_purchases", _I, "purchases of this buyer seen before, ever"),
)
"""What a purchase itself tells. Other facts are listed by the slices that find them."""


def values_of(purchase: Purchase, velocity: Velocity) -> dict[str, FactValue]:
    """The facts that the purchase itself and its counts tell."""
    age_seconds = 0
    if purchase.registered_at is not None:
        age_seconds = max(0, int((purchase.at - purchase.registered_at).total_seconds()))
    address = normal_address(purchase.ip)
    return {
        "amount_minor": purchase.amount_minor,
        "currency": purchase.currency,
        "quantity": purchase.quantity,
        "line_count": len(purchase.lines),
        "skus": tuple(line.sku for line in purchase.lines),
        "products": tuple(line.product_id for line in purchase.lines),
        "quantities": tuple(line.quantity for line in purchase.lines),
        "channel_id": purchase.channel_id,
        "source": purchase.source.value,
        "placed_at": purchase.at,
        "customer_id": purchase.customer_id,
        "has_customer": bool(purchase.customer_id.strip()),
        "ip": address,
        "has_ip": bool(address),
        "is_ipv6": ":" in address,
        "ip_24": network_key(purchase.ip),
        "ip_64": address_key(purchase.ip),
        "device_id": purchase.device_id,
        "has_device": bool(purchase.device_id.strip()),
        "contact_hash": purchase.contact_hash,
        "has_contact": bool(purchase.contact_hash.strip()),
        "payer_hash": purchase.payer_hash,
        "has_payer": bool(purchase.payer_hash.strip()),
        "has_account_age": purchase.registered_at is not None,
        "account_age_seconds": age_seconds,
        "first_purchase": velocity.earlier_purchases == 0,
        "earlier_purchases": velocity.earlier_purchases,
        **velocity.counts,
    }


def ids_within(since: datetime, until: datetime) -> tuple[UUID, UUID]:
    """The first and the last id (UUIDv7) that an assessment of this time may have: they are
    found by index, and `assessed_at` chooses among them.
    """
    return _first_id(since - _CLOCKS_DIFFER), _first_id(until + _CLOCKS_DIFFER)


def _first_id(at: datetime) -> UUID:
    return UUID(int=max(0, int(at.timestamp() * 1_000)) << 80)


class NotAllAllowed(Exception):
    """Of orders judged together before they are placed; names those that were allowed."""

    def __init__(self, allowed: Collection[UUID]) -> None:
        super().__init__(f"{len(allowed)} are allowed")
        self.allowed = allowed


class UnreadableOrder(Invalid):
    """An item is not an OrderPlaced with the ids of an order and its merchant; send what will be
    published.
    """

    code = "unreadable_order"


class AlreadyAssessed(Conflict):
    """A purchase with this reference was recorded before; read its assessment."""

    code = "already_assessed"


class AssessmentNotFound(NotFound):
    """There is no such assessment, or it is not yours."""

    code = "assessment_not_found"


class NotReplayable(Conflict):
    """It was made before the versions of all rules were kept; nothing can be compared."""

    code = "not_replayable"
