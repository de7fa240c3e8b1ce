"""How a condition is refused: with the line and column of its fault."""

import re

from kit.errors import Invalid
from risk.facts import Catalogue

MESSAGE_LENGTH_MAX = 300
_POSITION = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_UNDECLARED = re.compile(r"undeclared reference to '([A-Za-z_][A-Za-z0-9_]*)'")


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


def refused_at(source: str, place: int, problem: str) -> ConditionRefused:
    """For a fault at this character of the condition."""
    line = source.count("\n", 0, place) + 1
    column = place - source.rfind("\n", 0, place)
    return ConditionRefused(problem, line=line, column=column)


def refused_by_engine(catalogue: Catalogue, text: str) -> ConditionRefused:
    """For a fault as the engine tells it; of an unknown name with what may have been meant."""
    fault = _POSITION.search(text)
    if fault is None:
        return ConditionRefused(text.split("\n", 1)[0][:MESSAGE_LENGTH_MAX])
    # The engine says -1:-1 when a limit on the whole expression is exceeded.
    line, column = max(int(fault[1]), 1), max(int(fault[2]), 1)
    problem = fault[3][:MESSAGE_LENGTH_MAX]
    unknown = _UNDECLARED.search(problem)
    hint = catalogue.hint(unknown[1]) if unknown else ""
    return ConditionRefused(f"{problem}; {hint}" if hint else problem, line=line, column=column)
