from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import CodeText, CurrencyCode, Model, Name, Timestamp
from risk.conditions import CONDITION_LENGTH_MAX
from risk.facts import CATALOGUE, UNKNOWN_TIME, FactKind, Facts, FactType
from risk.rules.domain import Action, Mode, Outcome, Rule, RuleText

COUNT_FACT_MAX = 1_000_000
AMOUNT_FACT_MAX = 10**13
ACCOUNT_AGE_SECONDS_MAX = 10**10

ConditionText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=CONDITION_LENGTH_MAX, pattern=r"^[^\x00]*$"),
    Field(
        description="CEL over the facts of `GET /v1/facts`; must be true or false",
        examples=["purchases_by_ip_1h > 5"],
    ),
]
FactText = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
CountFact = Annotated[int, Field(ge=0, le=COUNT_FACT_MAX, strict=True)]
Version = Annotated[int, Field(ge=1, le=2_147_483_647, strict=True, examples=[1])]


class RuleBody(Model):
    """What a version of a rule says."""

    name: Annotated[Name, Field(examples=["Many purchases by one device"])]
    priority: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            strict=True,
            description="the smallest number that fires decides; among equals the strictest action",
            examples=[50],
        ),
    ] = 100
    mode: Annotated[Mode, Field(description="shadow: judged and recorded, without effect")] = (
        Mode.ENFORCE
    )
    condition: ConditionText
    action: Annotated[
        Action,
        Field(description="challenge has no channel yet: the order is held for review instead"),
    ]

    def to_domain(self) -> RuleText:
        return RuleText(self.name, self.priority, self.mode, self.condition, self.action)


class RuleCreate(RuleBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Many purchases by one device",
                    "priority": 50,
                    "mode": "shadow",
                    "condition": "purchases_by_device_1h > 10 && amount_minor > 50000",
                    "action": "hold",
                }
            ]
        }
    )

    is_enabled: bool = True


class RuleUpdate(RuleBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Many purchases by one device",
                    "priority": 50,
                    "mode": "enforce",
                    "condition": "purchases_by_device_1h > 8",
                    "action": "hold",
                    "expected_version": 1,
                }
            ]
        }
    )

    expected_version: Annotated[
        Version | None,
        Field(
            description="the version this change was made from; 409 `rule_changed` if not newest"
        ),
    ] = None


class RuleRead(Model):
    id: UUID
    version: int
    is_enabled: bool
    name: str
    priority: int
    mode: Mode
    condition: str
    action: Action
    template: str | None = Field(description="set when the platform made the rule")
    author: str
    written_at: datetime

    @classmethod
    def from_domain(cls, rule: Rule) -> Self:
        return cls(
            id=rule.id,
            version=rule.version,
            is_enabled=rule.is_enabled,
            name=rule.text.name,
            priority=rule.text.priority,
            mode=rule.text.mode,
            condition=rule.text.condition,
            action=rule.text.action,
            template=rule.template,
            author=rule.author,
            written_at=rule.written_at,
        )


class FactRead(Model):
    name: str
    type: FactType
    meaning: str

    @classmethod
    def from_domain(cls, kind: FactKind) -> Self:
        return cls(name=kind.name, type=kind.type, meaning=kind.meaning)


class FactsRead(Model):
    items: list[FactRead]


class FactsGiven(Model):
    """Facts to try rules on; what is left out has the value of the unknown."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"purchases_by_ip_1h": 6, "amount_minor": 1990, "currency": "CNY"}]
        }
    )

    amount_minor: Annotated[int, Field(ge=0, le=AMOUNT_FACT_MAX, strict=True)] = 0
    currency: CurrencyCode | None = None
    quantity: CountFact = 0
    line_count: CountFact = 0
    skus: Annotated[tuple[CodeText, ...], Field(max_length=200)] = ()
    channel_id: FactText = ""
    placed_at: Timestamp | None = None
    customer_id: FactText = ""
    ip: FactText = ""
    has_ip: bool = False
    device_id: FactText = ""
    has_device: bool = False
    has_contact: bool = False
    has_account_age: bool = False
    account_age_seconds: Annotated[int, Field(ge=0, le=ACCOUNT_AGE_SECONDS_MAX, strict=True)] = 0
    first_purchase: bool = True
    earlier_purchases: CountFact = 0
    purchases_by_ip_1h: CountFact = 0
    purchases_by_ip_24h: CountFact = 0
    purchases_by_device_1h: CountFact = 0
    purchases_by_device_24h: CountFact = 0
    purchases_by_customer_1h: CountFact = 0
    purchases_by_customer_24h: CountFact = 0
    purchases_by_contact_1h: CountFact = 0
    purchases_by_contact_24h: CountFact = 0

    def to_domain(self) -> Facts:
        given: dict[str, Any] = {name: getattr(self, name) for name in CATALOGUE}
        given["currency"] = self.currency or ""
        given["placed_at"] = self.placed_at or UNKNOWN_TIME
        return Facts(**given)


class RuleTest(Model):
    """Judges the merchant's enabled rules, and `condition` when given, on these facts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "condition": "purchases_by_ip_1h > 5 && first_purchase",
                    "facts": {"purchases_by_ip_1h": 6, "first_purchase": True},
                }
            ]
        }
    )

    facts: FactsGiven
    condition: ConditionText | None = None


class OutcomeRead(Model):
    """What a rule that fired (or could not be decided) says."""

    rule_id: UUID
    version: int
    name: str
    mode: Mode
    priority: int
    action: Action
    values: dict[str, Any] = Field(description="the facts the condition mentions")
    explanation: str
    failure: str | None

    @classmethod
    def from_domain(cls, outcome: Outcome) -> Self:
        return cls(
            rule_id=outcome.rule_id,
            version=outcome.version,
            name=outcome.name,
            mode=outcome.mode,
            priority=outcome.priority,
            action=outcome.action,
            values=dict(outcome.values),
            explanation=outcome.explain(),
            failure=outcome.failure,
        )


class RuleTestRead(Model):
    condition_holds: bool | None = Field(description="null when no condition was given")
    condition_failure: str | None = Field(
        description="why it could not be decided; a live rule would hold the order"
    )
    decision: Action = Field(description="what the merchant's enabled rules decide")
    rules: list[OutcomeRead]
