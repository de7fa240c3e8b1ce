from base64 import b64encode
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID, uuid5

from google.protobuf.message import DecodeError
from pydantic import Base64Bytes, ConfigDict, Field, StringConstraints

from kit.http import CodeText, Model, MoneyModel, Reference, Timestamp
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from risk.assessments.domain import (
    Assessment,
    Replay,
    ShadowReport,
    StoredAssessment,
    UnreadableOrder,
)
from risk.assessments.events import purchase_of
from risk.rules.domain import Action
from risk.rules.schemas import LimitsRead, OutcomeRead
from risk.velocity.domain import Purchase, PurchasedLine, PurchaseSource

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
CustomerText = Annotated[str, StringConstraints(max_length=200, pattern=_PLAIN)]
AddressText = Annotated[
    str, StringConstraints(max_length=64, pattern=_PLAIN), Field(examples=["203.0.113.7"])
]


def _placed_example() -> str:
    placed = OrderPlaced(
        order_id="0193a3f0-0000-7000-8000-00000000000a",
        merchant_id="0193a3f0-0000-7000-8000-000000000001",
        reference="shop-order-4712",
        total={"amount_minor": 1990, "currency": "CNY"},
        lines=[{"sku": "STEAM-50", "quantity": 1}],
    )
    return b64encode(placed.SerializeToString()).decode()


class CustomerGiven(Model):
    """The buyer. Leave out what is unknown: it then counts for nothing."""

    id: Annotated[CustomerText, Field(examples=["buyer-17"])] = ""
    ip: AddressText = ""
    device_id: CustomerText = ""
    contact_hash: Annotated[
        CustomerText, Field(description="the shop's own hash of the contact, never the contact")
    ] = ""
    payer_hash: Annotated[
        CustomerText,
        Field(description="the shop's own hash of the card or its holder, never the number"),
    ] = ""
    registered_at: Timestamp | None = None


class LineGiven(Model):
    sku: CodeText
    product_id: UUID | None = None
    total: Annotated[
        int | None,
        Field(
            ge=0,
            le=10**13,
            strict=True,
            description="the line's price in minor units of the total's currency; counts for "
            "amounts by product",
        ),
    ] = None
    quantity: Annotated[int, Field(ge=1, le=100_000, strict=True)]


class AssessmentAsk(Model):
    """A purchase about which a shop wants to know."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reference": "shop-order-4711",
                    "customer": {"id": "buyer-17", "ip": "203.0.113.7"},
                    "total": {"amount": 1990, "currency": "CNY"},
                    "lines": [{"sku": "STEAM-50", "quantity": 1}],
                    "record": False,
                }
            ]
        }
    )

    reference: Annotated[Reference, Field(description="the shop's own id of the purchase")]
    channel_id: UUID | None = None
    customer: CustomerGiven
    total: MoneyModel
    lines: Annotated[list[LineGiven], Field(min_length=1, max_length=200)]
    record: Annotated[
        bool,
        Field(
            description="count this purchase from now on. Only for purchases that are not placed "
            "as orders here: those are counted anyway"
        ),
    ] = False

    def to_domain(self, merchant_id: UUID, now: datetime) -> Purchase:
        customer = self.customer
        return Purchase(
            # The same reference is the same purchase, however often it is sent.
            id=uuid5(merchant_id, f"purchase:{self.reference}"),
            merchant_id=merchant_id,
            source=PurchaseSource.SHOP,
            at=now,
            channel_id=str(self.channel_id or ""),
            reference=self.reference,
            customer_id=customer.id,
            ip=customer.ip,
            device_id=customer.device_id,
            contact_hash=customer.contact_hash,
            payer_hash=customer.payer_hash,
            registered_at=customer.registered_at,
            amount_minor=self.total.amount,
            currency=self.total.currency,
            lines=tuple(
                PurchasedLine(line.sku, line.quantity, str(line.product_id or ""), line.total or 0)
                for line in self.lines
            ),
        )


class AssessmentAnswer(Model):
    id: UUID | None = Field(description="null when the purchase was not recorded")
    decision: Action
    asked: Action = Field(description="by the rules; a challenge without a contact is held")
    limits: LimitsRead = Field(description="bounds that rules set for this purchase")
    reason: str
    facts: dict[str, Any]
    rules: list[OutcomeRead]
    duration_us: int

    @classmethod
    def from_domain(cls, assessment: Assessment, *, is_recorded: bool) -> Self:
        return cls(
            id=assessment.id if is_recorded else None,
            decision=assessment.decision,
            asked=assessment.asked,
            limits=LimitsRead.from_domain(assessment.limits),
            reason=assessment.reason(),
            facts=assessment.facts.record(),
            rules=[OutcomeRead.from_domain(outcome) for outcome in assessment.outcomes],
            duration_us=assessment.duration_us,
        )


class OrdersAsk(Model):
    """Orders that are about to be placed, as `OrderPlaced` will tell them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_placed_example()]}]})

    items: Annotated[
        list[Annotated[Base64Bytes, Field(max_length=200_000)]],
        Field(
            min_length=1, max_length=200, description="lockstock.order.v1.OrderPlaced, in base64"
        ),
    ]

    def to_domain(self, now: datetime) -> list[Purchase]:
        """Raises UnreadableOrder."""
        return [_purchase(payload, now) for payload in self.items]


class OrdersAnswer(Model):
    items: list[UUID | None] = Field(
        description="the assessment that allows the order; null where there is none: what becomes "
        "of such an order is told when it is placed"
    )


def _purchase(payload: bytes, now: datetime) -> Purchase:
    try:
        return purchase_of(OrderPlaced.FromString(payload), now)
    except (DecodeError, ValueError) as error:
        raise UnreadableOrder from error


class AssessmentRead(Model):
    id: UUID
    order_id: UUID | None
    reference: str
    decision: Action
    asked: Action
    limits: LimitsRead
    shadow_asked: Action | None = Field(
        description="what the shadow rules would have made of it; null when none of them fired"
    )
    facts: dict[str, Any]
    rules: list[dict[str, Any]] = Field(
        description="rules that fired or failed: version, mode, condition and values"
    )
    duration_us: int
    assessed_at: datetime

    @classmethod
    def from_domain(cls, stored: StoredAssessment) -> Self:
        return cls(
            id=stored.id,
            order_id=stored.order_id,
            reference=stored.reference,
            decision=stored.decision,
            asked=stored.asked,
            limits=LimitsRead.from_domain(stored.limits),
            shadow_asked=stored.shadow_asked,
            facts=stored.facts,
            rules=stored.outcomes,
            duration_us=stored.duration_us,
            assessed_at=stored.assessed_at,
        )


class ReplayRead(Model):
    """The decision made again, beside the recorded one."""

    is_same: bool
    asked: Action
    limits: LimitsRead
    rules: list[dict[str, Any]]
    duration_us: int
    recorded: AssessmentRead

    @classmethod
    def from_domain(cls, replay: Replay) -> Self:
        return cls(
            is_same=replay.is_same,
            asked=replay.asked,
            limits=LimitsRead.from_domain(replay.limits),
            rules=replay.outcomes,
            duration_us=replay.duration_us,
            recorded=AssessmentRead.from_domain(replay.stored),
        )


class ShadowRuleRead(Model):
    rule_id: UUID
    version: int
    name: str
    action: str
    fired: int
    failed: int = Field(description="times its condition had no answer")
    live: dict[str, int] = Field(
        description="what the live rules asked for where it fired or failed -> how often"
    )


class ShadowReportRead(Model):
    judged: int
    fired: int = Field(description="assessments in which a shadow rule fired")
    differed: int = Field(description="of these, where the decision would have been another one")
    rules: list[ShadowRuleRead]

    @classmethod
    def from_domain(cls, report: ShadowReport) -> Self:
        return cls(
            judged=report.judged,
            fired=report.fired,
            differed=report.differed,
            rules=[
                ShadowRuleRead(
                    rule_id=it.rule_id,
                    version=it.version,
                    name=it.name,
                    action=it.action,
                    fired=it.fired,
                    failed=it.failed,
                    live=it.live,
                )
                for it in report.rules
            ],
        )
