"""Conditions of rules, in CEL. The only file that imports the engine.

Common Expression Language cannot loop, reach out or run code; the engine limits nesting (32) and
the steps of comprehensions, its regular expressions take linear time, and no string extension is
loaded (nested `replace` would blow memory up). A condition is checked against the facts' types when
it is compiled.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cel_expr_python import cel

from kit.errors import Invalid
from risk.facts import CATALOGUE, Facts, FactType

CONDITION_LENGTH_MAX = 2_048
COMPILED_MAX = 10_000
"""Compiled conditions kept, about 10 KB each."""

_TYPES = {
    FactType.BOOL: cel.Type.BOOL,
    FactType.INT: cel.Type.INT,
    FactType.STRING: cel.Type.STRING,
    FactType.STRINGS: cel.Type.List(cel.Type.STRING),
    FactType.TIMESTAMP: cel.Type.TIMESTAMP,
}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_POSITION = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_MESSAGE_LENGTH_MAX = 300


class ConditionRefused(Invalid):
    """The condition is not a valid question about the facts."""

    code = "condition_refused"

    def __init__(self, problem: str, *, line: int = 1, column: int = 1) -> None:
        self.line, self.column = line, column
        where = f"{line}:{column}: {problem}"
        entry = {"pointer": "/condition", "code": self.code, "detail": where}
        super().__init__(
            f"the condition is refused at {where}", errors=[entry], line=line, column=column
        )


class ConditionFailed(Exception):
    """A condition could not be decided for these facts (say, a division by zero)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition and the facts it mentions."""

    source: str
    mentions: tuple[str, ...]
    expression: Any  # the engine's compiled object; its stub types it, its callers need not


@dataclass(frozen=True, slots=True)
class BoundFacts:
    """Facts made ready for many conditions: binding costs more than one evaluation."""

    activation: Any  # the engine's own object

    def satisfy(self, condition: Condition) -> bool:
        """Raises ConditionFailed when the condition has no answer."""
        try:
            outcome = condition.expression.eval(self.activation)
        except RuntimeError as error:
            raise ConditionFailed(str(error)[:_MESSAGE_LENGTH_MAX]) from error
        answer = outcome.value()
        if outcome.type() != cel.Type.BOOL or not isinstance(answer, bool):
            raise ConditionFailed(str(answer)[:_MESSAGE_LENGTH_MAX])
        return answer


class Conditions:
    """Compiles conditions, each version of a rule once."""

    def __init__(self) -> None:
        self._environment = cel.NewEnv(
            variables={kind.name: _TYPES[kind.type] for kind in CATALOGUE.values()}
        )
        self._compiled: OrderedDict[tuple[UUID, int], Condition] = OrderedDict()

    def compile(self, source: str) -> Condition:
        """Raises ConditionRefused with the line and column of the first fault."""
        if len(source) > CONDITION_LENGTH_MAX:
            raise ConditionRefused(f"longer than {CONDITION_LENGTH_MAX} characters")
        try:
            expression = self._environment.compile(source)
        except (RuntimeError, TypeError) as error:
            raise _refusal(str(error)) from error
        if expression.return_type() != cel.Type.BOOL:
            found = expression.return_type().name().lower()
            raise ConditionRefused(f"a condition must be true or false, this is a {found}")
        words = dict.fromkeys(_WORD.findall(source))
        return Condition(source, tuple(word for word in words if word in CATALOGUE), expression)

    def compiled(self, rule_id: UUID, version: int, source: str) -> Condition:
        """The condition of a rule's version, from memory after the first time."""
        key = (rule_id, version)
        condition = self._compiled.get(key)
        if condition is None:
            condition = self._compiled[key] = self.compile(source)
            if len(self._compiled) > COMPILED_MAX:
                self._compiled.popitem(last=False)
        return condition

    def bind(self, facts: Facts) -> BoundFacts:
        values = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in facts.values().items()
        }
        return BoundFacts(self._environment.Activation(values))


def _refusal(text: str) -> ConditionRefused:
    fault = _POSITION.search(text)
    if fault is None:
        return ConditionRefused(text.split("\n", 1)[0][:_MESSAGE_LENGTH_MAX])
    # The engine says -1:-1 when a limit on the whole expression is exceeded.
    line, column = max(int(fault[1]), 1), max(int(fault[2]), 1)
    return ConditionRefused(fault[3][:_MESSAGE_LENGTH_MAX], line=line, column=column)
