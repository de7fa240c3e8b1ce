"""An assessment: what is known about a purchase, what the rules say, what is decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kit.errors import Conflict
from risk.facts import Facts
from risk.rules.domain import Action, Outcome, shorten
from risk.velocity.domain import WINDOWS, KeyKind, Purchase, Velocity, address_key, normal_address

REASON_LENGTH_MAX = 2_000
"""Characters."""
RULES_TOLD_MAX = 50
"""Fired rules named in the event; the assessment keeps all of them."""
CHALLENGE_WITHOUT_CHANNEL = "a challenge is due and there is no channel for it yet"


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

    @property
    def decision(self) -> Action:
        """What happens: a challenge is held for review until there is a channel for it."""
        return Action.HOLD if self.asked is Action.CHALLENGE else self.asked

    @property
    def deciding(self) -> list[Outcome]:
        """The enforced rules that fired."""
        return [outcome for outcome in self.outcomes if outcome.is_enforced]

    def reason(self) -> str:
        """Why it was not simply allowed, for a reviewer."""
        said = [f"{outcome.name}: {outcome.explain()}" for outcome in self.deciding]
        if self.asked is Action.CHALLENGE:
            said.insert(0, CHALLENGE_WITHOUT_CHANNEL)
        return shorten("; ".join(said), REASON_LENGTH_MAX)


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """An assessment as it was recorded."""

    id: UUID
    purchase_id: UUID
    order_id: UUID | None
    reference: str
    decision: Action
    asked: Action
    facts: dict[str, Any]
    outcomes: list[dict[str, Any]]
    duration_us: int
    assessed_at: datetime


def facts_of(purchase: Purchase, velocity: Velocity) -> Facts:
    """The facts rules are judged on."""
    age_seconds = 0
    if purchase.registered_at is not None:
        age_seconds = max(0, int((purchase.at - purchase.registered_at).total_seconds()))
    counts = {
        f"purchases_by_{kind}_{window}": velocity.count(kind, window)
        for kind in KeyKind
        for window in WINDOWS
    }
    return Facts(
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
        quantity=sum(line.quantity for line in purchase.lines),
        line_count=len(purchase.lines),
        skus=tuple(line.sku for line in purchase.lines),
        channel_id=purchase.channel_id,
        placed_at=purchase.at,
        customer_id=purchase.customer_id,
        ip=normal_address(purchase.ip),
        has_ip=bool(address_key(purchase.ip)),
        device_id=purchase.device_id,
        has_device=bool(purchase.device_id.strip()),
        has_contact=bool(purchase.contact_hash.strip()),
        has_account_age=purchase.registered_at is not None,
        account_age_seconds=age_seconds,
        first_purchase=velocity.earlier_purchases == 0,
        earlier_purchases=velocity.earlier_purchases,
        **counts,
    )


class AlreadyAssessed(Conflict):
    """A purchase with this reference was recorded before; read its assessment."""

    code = "already_assessed"
