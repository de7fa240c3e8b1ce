"""The wire of policies."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from fulfillment.claim_policies.domain import EVERY_PRODUCT, ClaimPolicy, WhenShort
from kit.http import CodeText, Model

HOURS_MAX = 87_600
_POLICY: dict[str, Any] = {
    "sku": None,
    "auto_unseen": True,
    "auto_hours": 24,
    "auto_lot_claims_min": 2,
    "auto_lot_rate": 300,
    "buyer_claims_max": 2,
    "buyer_days": 30,
    "warranty_hours": 720,
    "when_short": "refund",
    "watches_lots": True,
    "lot_claims_min": 3,
    "lot_norm": 100,
}
Count = Annotated[int, Field(ge=0, le=10_000, strict=True)]
Hours = Annotated[int, Field(ge=0, le=HOURS_MAX, strict=True)]
BasisPoints = Annotated[int, Field(ge=0, le=10_000, strict=True)]


class ClaimPolicyBody(Model):
    """What is done without a person. Everything left out is as it is by default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_POLICY]})

    sku: CodeText | None = Field(default=None, description="Null: every product without its own.")
    auto_unseen: bool = Field(
        default=False, description="Replace at once what nobody has ever seen."
    )
    auto_hours: Hours = Field(
        default=0, description="Replace at once within so many hours of the first view; 0: never."
    )
    auto_lot_claims_min: Count = Field(
        default=2, description="... if of the lot at least so many units were claimed"
    )
    auto_lot_rate: BasisPoints = Field(
        default=300, description="... and at least this share of what was sold, in basis points."
    )
    buyer_claims_max: Count = Field(
        default=2, description="A buyer's further claims wait for a person."
    )
    buyer_days: Annotated[int, Field(ge=1, le=3_650, strict=True)] = Field(
        default=30, description="Over so many days."
    )
    warranty_hours: Hours = Field(
        default=0, description="Later after the sale everything waits for a person; 0: no limit."
    )
    when_short: Literal["wait", "refund"] = Field(
        default="wait", description="When no other lot has a unit to replace it with."
    )
    watches_lots: bool = Field(
        default=True, description="Whether lots with too many claims are quarantined."
    )
    lot_claims_min: Annotated[int, Field(ge=2, le=10_000, strict=True)] = Field(
        default=3, description="Fewer claims never quarantine a lot."
    )
    lot_norm: BasisPoints = Field(
        default=100, description="The share of bad units that is usual, in basis points."
    )

    def to_domain(self, merchant_id: UUID) -> ClaimPolicy:
        given = self.model_dump()
        given["sku"] = given["sku"] or EVERY_PRODUCT
        return ClaimPolicy(
            **{**given, "when_short": WhenShort(self.when_short)}, merchant_id=merchant_id
        )

    @classmethod
    def from_domain(cls, policy: ClaimPolicy) -> Self:
        values = {name: getattr(policy, name) for name in cls.model_fields}
        values["sku"] = policy.sku or None
        return cls(**{**values, "when_short": policy.when_short.value})
