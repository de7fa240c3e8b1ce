"""Complaints about delivered units: what is claimed, what speaks for it, what is decided.

opened -> replaced | refunded | refused | withdrawn. A decision to replace or refund is carried out
in steps outside; until they are done the claim is still opened, with its decision.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from fulfillment.claim_policies.domain import ClaimPolicy
from fulfillment.deliveries.domain import Box
from kit.errors import Conflict, DomainError, ErrorKind, NotFound
from kit.money import Money

BUYER = "buyer"
"""Who opened it, when it was opened on the buyer's page."""
POLICY = "policy"
"""Who decided, when no person did."""
NOTE_LENGTH_MAX = 500
REMOVED = "[removed]"
_LIKE_CODE_LENGTH_MIN = 6
_BASIS = 10_000


class ClaimReason(StrEnum):
    INVALID = "invalid"
    USED = "used"
    WRONG_PRODUCT = "wrong_product"
    OTHER = "other"


class ClaimState(StrEnum):
    OPENED = "opened"
    REPLACED = "replaced"
    REFUNDED = "refunded"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Decision(StrEnum):
    REPLACE = "replace"
    REFUND = "refund"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"

    @property
    def outcome(self) -> ClaimState:
        return _OUTCOMES[self]

    @property
    def needs_steps(self) -> bool:
        """Whether something outside must happen before it is so."""
        return self in (Decision.REPLACE, Decision.REFUND)


_OUTCOMES: Mapping[Decision, ClaimState] = {
    Decision.REPLACE: ClaimState.REPLACED,
    Decision.REFUND: ClaimState.REFUNDED,
    Decision.REFUSE: ClaimState.REFUSED,
    Decision.WITHDRAW: ClaimState.WITHDRAWN,
}


class Work(StrEnum):
    """What a worker is still to do about a claim."""

    EVIDENCE = "evidence"
    CARRY_OUT = "carry_out"
    NOTHING = ""


class Waits(StrEnum):
    """Why a claim waits for a person."""

    NO_RULE = "no_rule"
    BUDGET = "budget"
    WARRANTY_OVER = "warranty_over"
    LINE_REFUNDED = "line_refunded"
    OUT_OF_STOCK = "out_of_stock"
    REDEEMED = "unit_redeemed"
    REFUSED_BY_VAULT = "vault_refuses"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the vault knows of the unit, and the books of claims of its lot and buyer.

    `lot_claims` counts this claim too, and none that was refused or withdrawn; `buyer_claims` also
    those that were refused.
    """

    supplier: str
    unit_cost: Money
    sold_at: datetime
    views: int
    first_viewed_at: datetime | None
    last_viewed_at: datetime | None
    handed_out_at: datetime | None
    lot_sold: int
    lot_claims: int = 0
    buyer_claims: int = 0

    @property
    def lot_rate(self) -> int:
        """Claims over units sold of the lot, in basis points."""
        return _BASIS * self.lot_claims // max(self.lot_sold, 1)

    @property
    def is_unseen(self) -> bool:
        return self.views == 0 and self.handed_out_at is None


@dataclass(frozen=True, slots=True)
class Replacement:
    """The unit that the buyer has instead."""

    unit_id: UUID
    lot_id: UUID
    mask: str
    cost: Money
    box: Box | None = None
    expires_at: datetime | None = None
    is_redeemable: bool = False
    face_value: Money | None = None  # told the books when it is given, and not kept


@dataclass(frozen=True, slots=True)
class Subject:
    """The delivered unit that somebody complains about, with its line and its order."""

    unit_id: UUID
    lot_id: UUID
    mask: str
    position: int
    delivery_id: UUID
    line_id: UUID
    order_id: UUID
    merchant_id: UUID
    channel_id: UUID
    claimant: str
    sku: str
    name: str
    pool_id: UUID
    quantity: int
    recipient_public_key: bytes | None
    locale: str
    is_refunded: bool = False  # the whole price of the line went back


@dataclass(frozen=True, slots=True)
class Claim:
    """A complaint and what became of it."""

    id: UUID
    subject: Subject
    reason: ClaimReason
    note: str
    opened_by: str
    created_at: datetime
    state: ClaimState = ClaimState.OPENED
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str = ""
    waits: str = ""
    work: Work = Work.NOTHING
    evidence: Evidence | None = None
    revoked_at: datetime | None = None
    replacement: Replacement | None = None
    closed_at: datetime | None = None
    generation: int = 0
    attempts: int = 0
    lease_id: UUID | None = None

    @property
    def merchant_id(self) -> UUID:
        return self.subject.merchant_id

    @property
    def is_paid_back(self) -> bool:
        """A policy would give another unit for a line whose money went back since; nothing was done
        about it so far."""
        is_begun = self.revoked_at is not None
        return self.subject.is_refunded and self.decided_by == POLICY and not is_begun

    @property
    def owed_by_supplier(self) -> Evidence | None:
        """Who owes what for the bad unit; None when nobody owes anything."""
        if self.state not in (ClaimState.REPLACED, ClaimState.REFUNDED):
            return None
        evidence = self.evidence
        return evidence if evidence and evidence.unit_cost.amount_minor > 0 else None

    @property
    def reference(self) -> str:
        """What the replacement is reserved under. Another one only once the vault has said that
        nothing was ever sold, or can be, under the one before."""
        number = self.generation + 1
        return f"claim:{self.id}" if number == 1 else f"claim:{self.id}:{number}"


@dataclass(frozen=True, slots=True)
class PageClaim:
    """A claim as the buyer's page shows it."""

    unit_id: UUID
    state: ClaimState
    replacement_unit_id: UUID | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says about a claim: a decision, or why a person must look."""

    decision: Decision | None
    waits: str = ""
    why: str = ""


def judge(
    policy: ClaimPolicy, evidence: Evidence, now: datetime, *, is_refunded: bool = False
) -> Verdict:
    """Whether a claim is replaced without asking. See ClaimPolicy for the rules; whoever has the
    money back gets nothing more without a person's word.
    """
    if is_refunded:
        return Verdict(None, Waits.LINE_REFUNDED)
    warranty = timedelta(hours=policy.warranty_hours)
    if policy.warranty_hours and now > evidence.sold_at + warranty:
        return Verdict(None, Waits.WARRANTY_OVER)
    why = _why_replace(policy, evidence, now)
    if why is None:
        return Verdict(None, Waits.NO_RULE)
    if evidence.buyer_claims > policy.buyer_claims_max:
        return Verdict(None, Waits.BUDGET)
    return Verdict(Decision.REPLACE, why=why)


def _why_replace(policy: ClaimPolicy, evidence: Evidence, now: datetime) -> str | None:
    if policy.auto_unseen and evidence.is_unseen:
        return "never seen by anybody"
    first = evidence.first_viewed_at
    if not policy.auto_hours or first is None or evidence.handed_out_at is not None:
        return None
    is_soon = now <= first + timedelta(hours=policy.auto_hours)
    is_bad_lot = (
        evidence.lot_claims >= policy.auto_lot_claims_min
        and evidence.lot_rate >= policy.auto_lot_rate
    )
    if not (is_soon and is_bad_lot):
        return None
    return (
        f"claimed within {policy.auto_hours} h of the first view; "
        f"{evidence.lot_claims} of {evidence.lot_sold} sold units of the lot are claimed"
    )


_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*[A-Za-z0-9]")
_GROUPS = re.compile(r"\b[A-Z0-9]{3,8}(?: [A-Z0-9]{3,8})+\b")
_MAIL = re.compile(r"[^\s@]+@[^\s@]+")
_DIGIT = re.compile(r"\d")


def scrubbed(note: str, mask: str) -> str:
    """The note without what may be a code, a number or an address.

    A buyer pastes the code that does not work: refusing the claim for it would help nobody, so it
    is cut out. Cut out is what fits the unit's mask, what has 6 signs or more and a digit or
    capitals only, the same in groups, and mail addresses.
    """
    note = _MAIL.sub(REMOVED, note)
    note = _GROUPS.sub(lambda it: REMOVED if _DIGIT.search(it[0]) else it[0], note)
    note = _RUN.sub(lambda it: REMOVED if _looks_like_code(it[0], mask) else it[0], note)
    return note.strip()


def _looks_like_code(run: str, mask: str) -> bool:
    if len(run) >= _LIKE_CODE_LENGTH_MIN and (_DIGIT.search(run) or run.isupper()):
        return True
    head, _, tail = mask.partition("*")
    tail = tail.lstrip("*")
    return (
        "*" in mask
        and bool(head or tail)
        and len(run) >= _LIKE_CODE_LENGTH_MIN
        and run.startswith(head)
        and run.endswith(tail)
    )


class ClaimNotFound(NotFound):
    """There is no such claim, or it is not yours."""

    code = "claim_not_found"


class UnitNotClaimable(DomainError):
    """No delivered unit of this kind is here: name one of an order's units."""

    code = "unit_not_found"
    kind = ErrorKind.NOT_FOUND


class ClaimDecidedAlready(Conflict):
    """Somebody has decided about this claim before; read it."""

    code = "claim_decided"


class ClaimRefusedBefore(Conflict):
    """The seller has refused a claim of this unit; ask the seller."""

    code = "claim_refused"


class ClaimUnitRevoked(Conflict):
    """The unit is revoked in the vault already: the claim can only be replaced or refunded."""

    code = "claim_unit_revoked"
