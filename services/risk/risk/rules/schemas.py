from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self, cast
from uuid import UUID

from pydantic import ConfigDict, Field, Strict, StringConstraints

from kit.http import Model, Name
from risk.conditions import CONDITION_LENGTH_MAX
from risk.counts import DISTINCT_MAX, KeyKind, Measure
from risk.facts import Catalogue, FactKind, Facts, FactType, FactValue
from risk.rules.domain import (
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    Action,
    FactRefused,
    Limits,
    Mode,
    Outcome,
    Rule,
    RuleIncomplete,
    RuleText,
    Template,
)

FACTS_GIVEN_MAX = 200
LIST_FACT_MAX = 200

ConditionText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=CONDITION_LENGTH_MAX, pattern=r"^[^\x00]*$"),
    Field(
        description="CEL over the facts of `GET /v1/facts`; must be true or false",
        examples=["purchases_by_ip_1h > 5"],
    ),
]
Priority = Annotated[
    int,
    Field(
        ge=1,
        le=PRIORITY_MAX,
        strict=True,
        description="the smallest number that fires decides; among equals the strictest action",
        examples=[50],
    ),
]
FactText = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Version = Annotated[int, Field(ge=1, le=2_147_483_647, strict=True, examples=[1])]


class LimitsGiven(Model):
    """What an order is limited to."""

    quantity_max: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, strict=True, description="an order of more units is declined"),
    ] = None
    hold_seconds: Annotated[
        int | None,
        Field(
            ge=30,
            le=7 * 86_400,
            strict=True,
            description="the longest time that an unpaid order holds its stock",
        ),
    ] = None

    def to_domain(self) -> Limits | None:
        limits = Limits(self.quantity_max, self.hold_seconds)
        return None if limits == Limits() else limits


class LimitsRead(Model):
    quantity_max: int | None
    hold_seconds: int | None

    @classmethod
    def from_domain(cls, limits: Limits) -> Self:
        return cls(quantity_max=limits.quantity_max, hold_seconds=limits.hold_seconds)


class RuleBody(Model):
    """What a version of a rule says."""

    name: Annotated[Name, Field(examples=["Many purchases by one device"])]
    priority: Priority = PRIORITY_DEFAULT
    mode: Annotated[Mode, Field(description="shadow: judged and recorded, without effect")] = (
        Mode.ENFORCE
    )
    condition: ConditionText
    action: Annotated[
        Action,
        Field(description="challenge: the buyer shows a code; without a contact it is held"),
    ]
    limits: Annotated[
        LimitsGiven | None, Field(description="needed for the action limit, and only for it")
    ] = None

    def to_domain(self) -> RuleText:
        """Raises LimitsRefused."""
        limits = self.limits.to_domain() if self.limits else None
        text = RuleText(self.name, self.priority, self.mode, self.condition, self.action, limits)
        return text.checked()


class RuleCreate(Model):
    """A new rule: of its own, or made of a template with what is given here in place of its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Many purchases by one device",
                    "priority": 50,
                    "mode": "shadow",
                    "condition": "purchases_by_device_1h > 10 && amount_minor > 50000",
                    "action": "hold",
                },
                {
                    "template": "first-purchase-dear",
                    "condition": "first_purchase && amount_minor > 50000",
                    "mode": "shadow",
                },
            ]
        }
    )

    template: Annotated[
        Name | None, Field(description="of `GET /v1/rule-templates`; then all else may be left out")
    ] = None
    name: Name | None = None
    priority: Priority | None = None
    mode: Mode | None = None
    condition: ConditionText | None = None
    action: Action | None = None
    limits: LimitsGiven | None = None
    is_enabled: bool = True

    def to_domain(self, template: RuleText | None) -> RuleText:
        """Raises RuleIncomplete, LimitsRefused."""
        action = self.action or (template.action if template else None)
        name = self.name or (template.name if template else None)
        condition = self.condition or (template.condition if template else None)
        if name is None or condition is None or action is None:
            said = {"name": name, "condition": condition, "action": action}
            raise RuleIncomplete([field for field, value in said.items() if value is None])
        limits = self.limits.to_domain() if self.limits else None
        if limits is None and action is Action.LIMIT and template:
            limits = template.limits
        priority = self.priority or (template.priority if template else PRIORITY_DEFAULT)
        mode = self.mode or (template.mode if template else Mode.ENFORCE)
        return RuleText(name, priority, mode, condition, action, limits).checked()


class TemplateRead(Model):
    name: str
    why: str
    is_default: bool = Field(description="every merchant starts with it")
    rule: RuleBody

    @classmethod
    def from_domain(cls, template: Template) -> Self:
        text = template.text
        limits = text.limits
        return cls(
            name=template.name,
            why=template.why,
            is_default=template.is_default,
            rule=RuleBody(
                name=text.name,
                priority=text.priority,
                mode=text.mode,
                condition=text.condition,
                action=text.action,
                limits=LimitsGiven(
                    quantity_max=limits.quantity_max, hold_seconds=limits.hold_seconds
                )
                if limits
                else None,
            ),
        )


class TemplatesRead(Model):
    items: list[TemplateRead]


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
    limits: LimitsRead | None
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
            limits=LimitsRead.from_domain(rule.text.limits) if rule.text.limits else None,
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


class KindRead(Model):
    name: str
    meaning: str


class CountsRead(Model):
    """Counts need no entry of their own: a name is made of a measure, a key and a window."""

    pattern: str = "{measure}_by_{key}_{window}"
    example: str = "purchases_by_ip_1h"
    measures: list[KindRead] = Field(description=f"different values up to {DISTINCT_MAX}")
    keys: list[KindRead]
    windows: str = "1m to 90d in minutes (m), hours (h) or days (d)"


class FactsRead(Model):
    items: list[FactRead]
    counts: CountsRead

    @classmethod
    def of(cls, catalogue: Catalogue) -> Self:
        measures = [KindRead(name=it.value, meaning=it.meaning) for it in Measure]
        keys = [KindRead(name=it.value, meaning=it.thing) for it in KeyKind]
        return cls(
            items=[FactRead.from_domain(kind) for kind in catalogue.plain.values()],
            counts=CountsRead(measures=measures, keys=keys),
        )


GivenFact = (
    Annotated[bool, Strict()]
    | Annotated[int, Field(ge=-(2**53), le=2**53), Strict()]
    | FactText
    | Annotated[list[FactText], Field(max_length=LIST_FACT_MAX)]
    | Annotated[list[Annotated[int, Strict()]], Field(max_length=LIST_FACT_MAX)]
)
FactsGiven = Annotated[
    dict[Annotated[str, StringConstraints(max_length=80)], GivenFact],
    Field(
        max_length=FACTS_GIVEN_MAX,
        description="facts by name, as `GET /v1/facts` lists them, counts included; what is left "
        "out has the value of the unknown",
        examples=[{"purchases_by_ip_1h": 6, "amount_minor": 1990, "currency": "CNY"}],
    ),
]


def to_facts(catalogue: Catalogue, given: Mapping[str, GivenFact]) -> Facts:
    """Raises FactRefused, which names the fact."""
    values: dict[str, FactValue] = {}
    for name, value in given.items():
        kind = catalogue.find(name)
        if kind is None:
            raise FactRefused(name, catalogue.hint(name) or "there is no such fact")
        try:
            values |= catalogue.facts({name: _value(kind.type, value)}).values
        except (ValueError, OverflowError) as error:
            raise FactRefused(name, f"a {kind.type} is needed") from error
    return catalogue.facts(values)


def _value(kind: FactType, value: GivenFact) -> FactValue:
    if kind is FactType.TIMESTAMP and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a time needs its offset")
        return moment.astimezone(UTC)
    read: Any = tuple(value) if isinstance(value, list) else value
    return cast(FactValue, read)


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
    limits: LimitsRead | None

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
            limits=LimitsRead.from_domain(outcome.limits) if outcome.limits else None,
        )


class RuleTestRead(Model):
    condition_holds: bool | None = Field(description="null when no condition was given")
    condition_failure: str | None = Field(
        description="why it could not be decided; a live rule would hold the order"
    )
    decision: Action = Field(description="what the merchant's enabled rules decide")
    limits: LimitsRead
    rules: list[OutcomeRead]
