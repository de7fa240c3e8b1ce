"""The wire of claims."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.claims.domain import (
    NOTE_LENGTH_MAX,
    Claim,
    ClaimReason,
    Evidence,
    PageClaim,
)
from kit.http import Model, MoneyModel, Name

Note = Annotated[str, StringConstraints(max_length=NOTE_LENGTH_MAX, pattern=r"^[^\x00]*$")]
Reason = Literal["invalid", "used", "wrong_product", "other"]
State = Literal["opened", "replaced", "refunded", "refused", "withdrawn"]
_UNIT = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a55"
_BUYERS: dict[str, Any] = {"unit_id": _UNIT, "reason": "used", "note": "It says: already used"}
_NOTE_ABOUT = "What looks like a code, a number or an address is cut out of it."


class BuyerClaimCreate(Model):
    """What is wrong with a code, in the buyer's words."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BUYERS]})

    unit_id: UUID
    reason: Reason
    note: Note | None = Field(default=None, description=_NOTE_ABOUT)

    def why(self) -> ClaimReason:
        return ClaimReason(self.reason)


class ClaimCreate(BuyerClaimCreate):
    """A claim that a shop opens for its buyer."""


class ClaimDecide(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "seen by the supplier: already redeemed"}]}
    )

    reason: Name


class BuyerClaimRead(Model):
    """A claim as the buyer sees it."""

    id: UUID
    unit_id: UUID
    state: State
    replacement_unit_id: UUID | None

    @classmethod
    def from_domain(cls, claim: Claim) -> Self:
        new = claim.replacement
        return cls(
            id=claim.id,
            unit_id=claim.subject.unit_id,
            state=claim.state.value,
            replacement_unit_id=new.unit_id if new else None,
        )


class PageClaimRead(Model):
    """How the claim of a unit on the page stands."""

    unit_id: UUID
    state: State
    replacement_unit_id: UUID | None

    @classmethod
    def from_domain(cls, claim: PageClaim) -> Self:
        return cls(
            unit_id=claim.unit_id,
            state=claim.state.value,
            replacement_unit_id=claim.replacement_unit_id,
        )


class EvidenceRead(Model):
    """What speaks for or against it, as it was when the claim was looked at."""

    sold_at: datetime
    views: int = Field(description="In the vault's log, which misses none.")
    first_viewed_at: datetime | None
    last_viewed_at: datetime | None
    seconds_after_first_view: int | None = Field(
        description="How long after the first view it was claimed; null when it was never seen."
    )
    handed_out_at: datetime | None = Field(
        description="When a shop got it in a box of its own; who saw it there is not known."
    )
    lot_sold: int
    lot_claims: int = Field(description="With this one; without refused and withdrawn ones.")
    lot_rate_basis_points: int
    buyer_claims: int = Field(description="Of this buyer in the policy's days, with this one.")
    supplier: str
    unit_cost: MoneyModel

    @classmethod
    def from_domain(cls, found: Evidence, claimed_at: datetime) -> Self:
        first = found.first_viewed_at
        return cls(
            sold_at=found.sold_at,
            views=found.views,
            first_viewed_at=first,
            last_viewed_at=found.last_viewed_at,
            seconds_after_first_view=int((claimed_at - first).total_seconds()) if first else None,
            handed_out_at=found.handed_out_at,
            lot_sold=found.lot_sold,
            lot_claims=found.lot_claims,
            lot_rate_basis_points=found.lot_rate,
            buyer_claims=found.buyer_claims,
            supplier=found.supplier,
            unit_cost=MoneyModel.from_domain(found.unit_cost),
        )


class ReplacementRead(Model):
    unit_id: UUID
    mask: str
    lot_id: UUID


class ClaimRead(Model):
    """A complaint about a delivered unit, with evidence and outcome."""

    id: UUID
    unit_id: UUID
    mask: str
    lot_id: UUID
    order_id: UUID
    delivery_id: UUID
    line_id: UUID
    sku: str
    name: str
    reason: Reason
    note: str
    opened_by: str
    created_at: datetime
    state: State
    decision: Literal["replace", "refund", "refuse", "withdraw"] | None = Field(
        description="Set before the state follows: what is decided is carried out in steps."
    )
    decision_reason: str
    decided_by: str | None
    decided_at: datetime | None
    waits: str = Field(
        description="Why a person must decide: no_rule, budget, warranty_over, "
        "line_refunded, out_of_stock, unit_redeemed, vault_refuses; empty while nobody must."
    )
    evidence: EvidenceRead | None = Field(description="Null until the vault has answered.")
    replacement: ReplacementRead | None
    closed_at: datetime | None

    @classmethod
    def from_domain(cls, claim: Claim) -> Self:
        about, new, evidence = claim.subject, claim.replacement, claim.evidence
        return cls(
            id=claim.id,
            unit_id=about.unit_id,
            mask=about.mask,
            lot_id=about.lot_id,
            order_id=about.order_id,
            delivery_id=about.delivery_id,
            line_id=about.line_id,
            sku=about.sku,
            name=about.name,
            reason=claim.reason.value,
            note=claim.note,
            opened_by=claim.opened_by,
            created_at=claim.created_at,
            state=claim.state.value,
            decision=claim.decision.value if claim.decision else None,
            decision_reason=claim.decision_reason,
            decided_by=claim.decided_by,
            decided_at=claim.decided_at,
            waits=claim.waits,
            evidence=EvidenceRead.from_domain(evidence, claim.created_at) if evidence else None,
            replacement=ReplacementRead(unit_id=new.unit_id, mask=new.mask, lot_id=new.lot_id)
            if new
            else None,
            closed_at=claim.closed_at,
        )
