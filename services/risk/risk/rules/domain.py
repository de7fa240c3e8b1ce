"""Rules: a condition over the facts, and what to do when it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from risk.conditions import Condition, ConditionRefused, Conditions
from risk.facts import Facts, as_json

RULES_MAX = 200
"""Rules of one merchant, disabled ones included: every decision reads them all."""

EXPLANATION_LENGTH_MAX = 500
"""Characters. Conditions and lists of SKUs may be long; events and reviews stay readable."""


class Mode(StrEnum):
    ENFORCE = "enforce"
    SHADOW = "shadow"
    """Judged and recorded, without effect."""


class Action(StrEnum):
    """What a rule asks for; the order is from mild to strict."""

    ALLOW = "allow"
    CHALLENGE = "challenge"
    HOLD = "hold"
    DECLINE = "decline"

    @property
    def strictness(self) -> int:
        return list(Action).index(self)


@dataclass(frozen=True, slots=True)
class RuleText:
    """What a version of a rule says; a change is a new version."""

    name: str
    priority: int
    """Rules of the smallest number that fire decide; among equals the strictest does."""
    mode: Mode
    condition: str
    action: Action


@dataclass(frozen=True, slots=True)
class Rule:
    id: UUID
    merchant_id: UUID
    version: int
    is_enabled: bool
    text: RuleText
    template: str | None
    """Set when the platform made the rule: the template's name."""
    author: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Template:
    """A rule every merchant starts with. The merchant may change or disable it."""

    name: str
    text: RuleText


DEFAULT_RULES: Sequence[Template] = (
    Template(
        "ip-velocity",
        RuleText(
            name="More than 5 purchases by one address in an hour",
            priority=100,
            mode=Mode.ENFORCE,
            condition="purchases_by_ip_1h > 5",
            action=Action.HOLD,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule said about one purchase, with the values it said it on."""

    rule_id: UUID
    version: int
    name: str
    mode: Mode
    priority: int
    action: Action
    condition: str
    values: dict[str, object]
    failure: str | None = None
    """Why the condition could not be decided; such a rule asks for a hold, whatever its action."""

    @property
    def is_enforced(self) -> bool:
        return self.mode is Mode.ENFORCE

    def explain(self) -> str:
        """The condition with the values that made it true, for timelines and reviewers."""
        known = ", ".join(f"{name} = {value}" for name, value in self.values.items())
        text = f"{self.condition} ({known})" if known else self.condition
        if self.failure:
            text = f"not decidable, {self.failure}: {text}"
        return shorten(text, EXPLANATION_LENGTH_MAX)


@dataclass(frozen=True, slots=True)
class Trial:
    """What rules would say about made-up facts."""

    condition_holds: bool | None
    condition_failure: str | None
    decision: Action
    outcomes: list[Outcome]


def judge(rules: Sequence[Rule], facts: Facts, conditions: Conditions) -> list[Outcome]:
    """What each rule that fired or failed says; rules that do not hold say nothing.

    Pure: the same rules and facts, the same answer. Sets of rules are compiled once and kept.
    """
    program = conditions.program([rule.text.condition for rule in rules])
    return [
        _outcome(rules[number], program.conditions[number], facts, failure)
        for number, failure in program.run(facts).items()
    ]


def _outcome(
    rule: Rule, condition: Condition | ConditionRefused, facts: Facts, failure: str | None
) -> Outcome:
    # Refused here: saved when a fact still existed that is gone now.
    mentions = condition.mentions if isinstance(condition, Condition) else ()
    return Outcome(
        rule.id,
        rule.version,
        rule.text.name,
        rule.text.mode,
        rule.text.priority,
        rule.text.action if failure is None else Action.HOLD,
        rule.text.condition,
        {name: as_json(facts[name]) for name in mentions},
        failure,
    )


def decide(outcomes: Sequence[Outcome]) -> Action:
    """The decision: the smallest priority number that fired wins, among equals the strictest."""
    enforced = [outcome for outcome in outcomes if outcome.is_enforced]
    if not enforced:
        return Action.ALLOW
    first = min(outcome.priority for outcome in enforced)
    return max(
        (outcome.action for outcome in enforced if outcome.priority == first),
        key=lambda action: action.strictness,
    )


def shorten(text: str, length_max: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


class RuleNotFound(NotFound):
    """There is no such rule, or it is not yours."""

    code = "rule_not_found"


class RuleChanged(Conflict):
    """The rule was changed meanwhile; read it again."""

    code = "rule_changed"


class TooManyRules(Conflict):
    """A merchant may have 200 rules; change one instead."""

    code = "too_many_rules"


class FactRefused(Invalid):
    """A fact is given that does not exist, or with a value of another type."""

    code = "fact_refused"

    def __init__(self, name: str, problem: str) -> None:
        pointer = "/facts/" + name.replace("~", "~0").replace("/", "~1")
        entry = {"pointer": pointer, "code": self.code, "detail": problem}
        super().__init__(f"{name}: {problem}", errors=[entry])
