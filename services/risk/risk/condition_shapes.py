"""Bounds what one evaluation of a condition can cost, by the condition's text."""

import re
from collections.abc import Sequence

from risk.condition_refusals import refused_at

LOOPS_MAX = 8
"""Comprehensions (all, exists, exists_one) in one condition, none within another: the engine stops
after 10,000 steps, and each step may do what a whole condition does."""
MATCHES_MAX = 10
"""Regular expressions in one condition."""

_LOOPS = frozenset({"all", "exists", "exists_one"})
# As the engine reads: a raw text ends at its next quote, any other at one without a backslash.
_TOKEN = re.compile(
    r"""(?P<skip>//[^\n]*|\s+)
    |(?P<text>[bB]?[rR](?:\'{3}.*?\'{3}|"{3}.*?"{3}|'[^'\n]*'|"[^"\n]*")
        |[bB]?(?:\'{3}(?:\\.|.)*?\'{3}|"{3}(?:\\.|.)*?"{3}
            |'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[0-9]+)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
REPEATED = re.compile(r"\{[0-9,]*[0-9]{3}")
REPEATED_PROBLEM = "a pattern repeats something 100 times or more"


def check_shape(source: str) -> None:
    """Bounds what one evaluation can cost. Raises ConditionRefused at what is too much."""
    tokens = [it for it in _TOKEN.finditer(source) if it.lastgroup != "skip"]
    has_patterns = any(it[0] == "matches" for it in tokens)
    counted = {"loops": 0, "regular expressions": 0}
    maxima = (LOOPS_MAX, MATCHES_MAX)
    open_loops: list[bool] = []
    for number, token in enumerate(tokens):
        word = token[0]
        if has_patterns and token.lastgroup == "text" and REPEATED.search(word):
            raise refused_at(source, token.start(), REPEATED_PROBLEM)
        if word == "(":
            is_loop = number > 1 and _is_call(tokens[number - 2 : number], _LOOPS)
            counted["loops"] += is_loop
            counted["regular expressions"] += number > 0 and tokens[number - 1][0] == "matches"
            open_loops.append(is_loop)
        elif word == ")" and open_loops:
            open_loops.pop()
        if sum(open_loops) > 1:
            raise refused_at(
                source, token.start(), "a loop in a loop; `in` or a pattern may say the same"
            )
        for (what, times), most in zip(counted.items(), maxima, strict=True):
            if times > most:
                raise refused_at(source, token.start(), f"more than {most} {what} in one condition")


def _is_call(before: Sequence[re.Match[str]], names: frozenset[str]) -> bool:
    return before[0][0] == "." and before[1][0] in names
