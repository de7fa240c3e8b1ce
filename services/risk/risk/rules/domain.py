"""Rules: a condition over the facts, and what to do when it holds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from kit.errors import Conflict, Invalid, NotFound
from risk.condition_refusals import ConditionRefused
from risk.conditions import Condition, Conditions
from risk.facts import Facts, as_json

RULES_MAX = 200
"""Rules of one merchant, disabled ones included: every decision reads them all."""

PRIORITY_MAX = 10_000
PRIORITY_DEFAULT = 100

EXPLANATION_LENGTH_MAX = 500
"""Characters. Conditions and lists of SKUs may be long; events and reviews stay readable."""


class Mode(StrEnum):
    ENFORCE = "enforce"
    SHADOW = "shadow"
    """Judged and recorded, without effect."""


class Action(StrEnum):
    """What a rule asks for; the order is from mild to strict."""

    ALLOW = "allow"
    LIMIT = "limit"
    """The order may go on within limits: it decides nothing else."""
    CHALLENGE = "challenge"
    HOLD = "hold"
    DECLINE = "decline"

    @property
    def strictness(self) -> int:
        return list(Action).index(self)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for an order; None is no bound."""

    quantity_max: int | None = None
    """Units in all lines; an order of more is declined."""
    hold_seconds: int | None = None
    """The longest time, from when it was placed, that an unpaid order holds its stock."""

    def record(self) -> dict[str, int | None]:
        """As JSON knows it."""
        return {"quantity_max": self.quantity_max, "hold_seconds": self.hold_seconds}

    def tightened(self, other: "Limits") -> "Limits":
        return Limits(
            _smaller(self.quantity_max, other.quantity_max),
            _smaller(self.hold_seconds, other.hold_seconds),
        )


NO_LIMITS = Limits()


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((it for it in (one, other) if it is not None), default=None)


@dataclass(frozen=True, slots=True)
class RuleText:
    """What a version of a rule says; a change is a new version."""

    name: str
    priority: int
    """Rules of the smallest number that fire decide; among equals the strictest does."""
    mode: Mode
    condition: str
    action: Action
    limits: Limits | None = None
    """Set for the action `limit` only."""

    def checked(self) -> "RuleText":
        """Raises LimitsRefused."""
        if (self.action is Action.LIMIT) != (self.limits is not None):
            raise LimitsRefused
        return self


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


class RuleSet(tuple[Rule, ...]):
    """Rules that are judged together, in their order."""

    @cached_property
    def id(self) -> UUID:
        """The same for the same versions of the same rules of a merchant, who has at least one."""
        named = ",".join(f"{rule.id}:{rule.version}" for rule in self)
        return uuid5(self[0].merchant_id, f"rules:{named}")


@dataclass(frozen=True, slots=True)
class Template:
    """A rule to begin with: as it is, or changed."""

    name: str
    why: str
    text: RuleText
    is_default: bool = False
    """Every merchant starts with it, and may change or disable it."""


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
    limits: Limits | None = None

    @property
    def is_enforced(self) -> bool:
        return self.mode is Mode.ENFORCE

    def record(self) -> dict[str, Any]:
        """As JSON knows it."""
        limits = self.limits
        return {
            "rule_id": str(self.rule_id),
            "version": self.version,
            "name": self.name,
            "mode": self.mode,
            "priority": self.priority,
            "action": self.action,
            "condition": self.condition,
            "values": self.values,
            "failure": self.failure,
            "limits": limits and limits.record(),
        }

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
    limits: Limits


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
        rule.text.limits if failure is None else None,
    )


def decide(outcomes: Sequence[Outcome]) -> Action:
    """The decision: the smallest priority number that fired wins, among equals the strictest."""
    deciding = [it for it in outcomes if it.is_enforced and it.action is not Action.LIMIT]
    if not deciding:
        return Action.ALLOW
    first = min(outcome.priority for outcome in deciding)
    return max(
        (outcome.action for outcome in deciding if outcome.priority == first),
        key=lambda action: action.strictness,
    )


def limits_of(outcomes: Sequence[Outcome]) -> Limits:
    """The tightest of the enforced limits. One behind the rule that decides (say, behind the allow
    list) does not count.
    """
    enforced = [outcome for outcome in outcomes if outcome.is_enforced]
    deciding = (it.priority for it in enforced if it.action is not Action.LIMIT)
    last = min(deciding, default=PRIORITY_MAX)
    limits = Limits()
    for outcome in enforced:
        if outcome.limits is not None and outcome.priority <= last:
            limits = limits.tightened(outcome.limits)
    return limits


def verdict(outcomes: Sequence[Outcome], quantity: int) -> tuple[Action, Limits]:
    """What the rules ask for of an order of so many units, and the limits it has."""
    limits = limits_of(outcomes)
    if limits.quantity_max is not None and quantity > limits.quantity_max:
        return Action.DECLINE, limits
    return decide(outcomes), limits


def shadow_verdict(outcomes: Sequence[Outcome], quantity: int) -> Action | None:
    """What would be asked for, were the shadow rules enforced; None when none of them fired."""
    if all(outcome.is_enforced for outcome in outcomes):
        return None
    return verdict([replace(it, mode=Mode.ENFORCE) for it in outcomes], quantity)[0]


def shorten(text: str, length_max: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


class LimitsRefused(Invalid):
    """The action `limit` needs a quantity or a hold time, and no other action has limits."""

    code = "limits_refused"

    def __init__(self) -> None:
        entry = {"pointer": "/limits", "code": self.code, "detail": str(type(self).__doc__)}
        super().__init__(errors=[entry])


class RuleIncomplete(Invalid):
    """A rule without a template says its name, its condition and its action."""

    code = "rule_incomplete"

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            errors=[
                {"pointer": f"/{name}", "code": self.code, "detail": "missing"} for name in missing
            ]
        )


class TemplateNotFound(Invalid):
    """There is no template of this name; `GET /v1/rule-templates` lists them."""

    code = "template_not_found"


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
