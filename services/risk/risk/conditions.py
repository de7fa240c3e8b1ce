"""Conditions of rules, in CEL. The only file that imports the engine.

Common Expression Language cannot loop, reach out or run code; the engine limits nesting (32) and
the steps of comprehensions, its regular expressions take linear time, and no string extension is
loaded (nested `replace` would blow memory up). A condition is checked against the facts' types when
it is compiled, and its shape against what an evaluation may cost. Rules that are judged together
become one expression (a `Program`): one step into the engine costs as much as ten comparisons.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cel_expr_python import cel

from risk.condition_checks import check_constants, check_patterns, check_zones
from risk.condition_maxima import check_maxima
from risk.condition_refusals import MESSAGE_LENGTH_MAX, ConditionRefused, refused_by_engine
from risk.condition_shapes import check_shape
from risk.condition_trees import Node, Tree
from risk.counts import CountSet
from risk.facts import UNKNOWN_TIME, Catalogue, Facts, FactType, counts_of

CONDITION_LENGTH_MAX = 2_048
COMPILED_MAX = 10_000
"""Compiled conditions kept, about 10 KB each."""
PROGRAMS_MAX = 500
"""Compiled sets of rules kept, about 200 KB each for 50 rules."""
COUNTS_MAX = 20
"""Counts that one condition may mention."""

_TYPES = {
    FactType.BOOL: cel.Type.BOOL,
    FactType.INT: cel.Type.INT,
    FactType.STRING: cel.Type.STRING,
    FactType.STRINGS: cel.Type.List(cel.Type.STRING),
    FactType.INTS: cel.Type.List(cel.Type.INT),
    FactType.TIMESTAMP: cel.Type.TIMESTAMP,
}

# Numbers add up, texts and lists do not; nothing is made of a list but an answer. So nothing in a
# condition is larger than the facts and the condition itself, and no chain of steps can double it.
_STANDARD = cel.NewEnvConfigFromYaml("""
name: facts
stdlib:
  exclude_functions:
    - name: _+_
      overloads: [{id: add_string}, {id: add_bytes}, {id: add_list}]
    - name: dyn
  exclude_macros: [map, filter]
""")
# What the engine notes of an addition whose operands it cannot type (elements of a mixed list):
# more than one kind of addition may be meant, and which one shows only when texts are there.
_UNTYPED_SUM = b"\x1a\tadd_int64\x1a\nadd_double"
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BITS = 60
"""Conditions in one expression: each is a bit of its 64-bit answer."""


class ConditionFailed(Exception):
    """A condition could not be decided for these facts (say, a division by zero)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition and the facts it mentions."""

    source: str
    mentions: tuple[str, ...]
    expression: Any  # the engine's compiled object; its stub types it, its callers need not


@dataclass(frozen=True, slots=True)
class Program:
    """Conditions that are judged together on the same facts. Pure: it keeps nothing of them."""

    conditions: tuple[Condition | ConditionRefused, ...]
    """In the order given; one that is refused by now has no answer."""
    mentions: tuple[str, ...]
    counts: CountSet
    """Those of the mentions that are counts."""
    catalogue: Catalogue
    environment: Any  # the engine's own object
    chunks: tuple["_Chunk", ...]

    def run(self, facts: Facts) -> dict[int, str | None]:
        """Number of each condition that holds -> None, that has no answer -> why; in order."""
        known = facts.values
        bound = self.environment.Activation(
            {
                name: list(value) if isinstance(value, tuple) else value
                for name in self.mentions
                for value in (known[name] if name in known else facts[name],)
            }
        )
        answers: dict[int, str | None] = {}
        for chunk in self.chunks:
            chunk.run(bound, self.conditions, answers)
        return answers


@dataclass(frozen=True, slots=True)
class _Chunk:
    first: int
    count: int
    refused: Mapping[int, str]
    """Number of each condition that has no answer for any facts -> why."""
    combined: Any  # the engine's own object; None when these do not fit into one expression

    def run(
        self,
        bound: Any,  # the engine's own object
        conditions: Sequence[Condition | ConditionRefused],
        answers: dict[int, str | None],
    ) -> None:
        found: dict[int, str | None] = {**self.refused}
        bits = self._bits(bound)
        if bits is None:
            found |= self._one_by_one(bound, conditions)
        while bits:
            low = bits & -bits
            found[self.first + low.bit_length() - 1] = None
            bits ^= low
        answers.update(sorted(found.items()) if self.refused else found)

    def _one_by_one(
        self,
        bound: Any,  # the engine's own object
        conditions: Sequence[Condition | ConditionRefused],
    ) -> dict[int, str | None]:
        found: dict[int, str | None] = {}
        for number in range(self.first, self.first + self.count):
            condition = conditions[number]
            if isinstance(condition, ConditionRefused):
                continue
            try:
                if _holds(condition, bound):
                    found[number] = None
            except ConditionFailed as error:
                found[number] = str(error)
        return found

    def _bits(self, bound: Any) -> int | None:  # the engine's own object
        """None when one of them has no answer, or all together are too much: each is asked."""
        if self.combined is None:
            return None
        try:
            bits = self.combined.eval(bound).value()
        except RuntimeError:
            return None
        return bits if type(bits) is int else None


class Conditions:
    """Compiles conditions and sets of them, each once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._compiled: OrderedDict[str, Condition] = OrderedDict()
        self._programs: OrderedDict[tuple[str, ...], Program] = OrderedDict()

    def compile(self, source: str) -> Condition:
        """One that is saved or tried. Raises ConditionRefused with the line and column of the first
        fault.
        """
        condition = self._compile(source)
        tree = Tree(condition.expression.serialize())
        engine = _Engine(self._environment_of(condition.mentions), tree)
        check_constants(source, tree, engine)
        check_patterns(source, tree, engine)
        check_zones(source, tree, engine)
        check_maxima(source, tree, engine, self.catalogue)
        return condition

    def _compile(self, source: str) -> Condition:
        if len(source) > CONDITION_LENGTH_MAX:
            raise ConditionRefused(f"longer than {CONDITION_LENGTH_MAX} characters")
        mentions = tuple(_mentions(self.catalogue, source))
        try:
            expression = self._environment_of(mentions).compile(source)
        except (RuntimeError, TypeError) as error:
            raise refused_by_engine(self.catalogue, str(error)) from error
        if expression.return_type() != cel.Type.BOOL:
            found = expression.return_type().name().lower()
            raise ConditionRefused(f"a condition must be true or false, this is a {found}")
        if len(counts_of(mentions)) > COUNTS_MAX:
            raise ConditionRefused(f"mentions more than {COUNTS_MAX} counts")
        if _UNTYPED_SUM in expression.serialize():
            raise ConditionRefused("what is of no certain type is not added up")
        check_shape(source)
        return Condition(source, mentions, expression)

    def compiled(self, source: str) -> Condition:
        """From memory after the first time. Refuses less than `compile`: what was saved stays."""
        condition = self._compiled.get(source)
        if condition is None:
            condition = self._compiled[source] = self._compile(source)
            if len(self._compiled) > COMPILED_MAX:
                self._compiled.popitem(last=False)
        return condition

    def program(self, sources: Sequence[str]) -> Program:
        """The conditions as one, from memory after the first time. Never raises: what is refused
        by now (a fact is gone that it asks about) has no answer for any facts.
        """
        key = tuple(sources)
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = self._combine(key)
            if len(self._programs) > PROGRAMS_MAX:
                self._programs.popitem(last=False)
        return program

    def holds(self, source: str, facts: Facts) -> bool:
        """Raises ConditionRefused; ConditionFailed when the condition has no answer."""
        condition = self.compiled(source)
        answers = self.program([condition.source]).run(facts)
        failure = answers.get(0)
        if failure is not None:
            raise ConditionFailed(failure)
        return 0 in answers

    def _combine(self, sources: tuple[str, ...]) -> Program:
        found = [self._try(source) for source in sources]
        mentions = tuple(
            dict.fromkeys(name for it in found if isinstance(it, Condition) for name in it.mentions)
        )
        environment = self._environment_of(mentions)
        # Each in the common environment: an expression does not read the times of another one.
        conditions = tuple(
            replace(it, expression=environment.compile(it.source))
            if isinstance(it, Condition)
            else it
            for it in found
        )
        chunks = []
        for first in range(0, len(conditions), _BITS):
            part = conditions[first : first + _BITS]
            refused = {
                number: str(it)
                for number, it in enumerate(part, first)
                if isinstance(it, ConditionRefused)
            }
            chunks.append(_Chunk(first, len(part), refused, _combined(environment, part)))
        counts = CountSet(counts_of(mentions))
        return Program(conditions, mentions, counts, self.catalogue, environment, tuple(chunks))

    def _try(self, source: str) -> Condition | ConditionRefused:
        try:
            return self.compiled(source)
        except ConditionRefused as refused:
            return refused

    def _environment_of(self, mentions: Sequence[str]) -> Any:  # the engine's own object
        kinds = (self.catalogue.kind(name) for name in mentions)
        return cel.NewEnv(
            config=_STANDARD, variables={kind.name: _TYPES[kind.type] for kind in kinds}
        )


_ZONED = cel.NewEnv(variables={"at": cel.Type.TIMESTAMP, "zone": cel.Type.STRING}).compile(
    "at.getHours(zone) >= 0"
)
_MATCHED = cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile("''.matches(pattern)")


@dataclass(frozen=True, slots=True)
class _Engine:
    """What the checks of a condition ask."""

    environment: Any  # the engine's own object
    tree: Tree
    _values: dict[bytes, object] = field(default_factory=dict)

    def value_of(self, node: Node) -> object:
        """Raises ValueError when it has none."""
        if node.written not in self._values:
            self._values[node.written] = self._evaluate(node)
        return self._values[node.written]

    def _evaluate(self, node: Node) -> object:
        try:
            value = self.environment.deserialize(self.tree.alone(node)).eval()
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        if value.type() == cel.Type.ERROR:
            raise ValueError(value.value())
        return value.plain_value()

    def knows_zone(self, name: str) -> bool:
        return _ZONED.eval(data={"at": UNKNOWN_TIME, "zone": name}).value() is True

    def fault_of_pattern(self, pattern: str) -> str:
        """Empty when there is none."""
        value = _MATCHED.eval(data={"pattern": pattern}).value()
        return "" if isinstance(value, bool) else str(value)


def _mentions(catalogue: Catalogue, source: str) -> list[str]:
    # A word inside a text is mentioned for nothing, and nothing else comes of it.
    words = dict.fromkeys(_WORD.findall(source))
    return [word for word in words if catalogue.find(word) is not None]


def _holds(condition: Condition, bound: Any) -> bool:  # the engine's own object
    try:
        answer = condition.expression.eval(bound).value()
    except RuntimeError as error:
        raise ConditionFailed(str(error)[:MESSAGE_LENGTH_MAX]) from error
    if not isinstance(answer, bool):
        raise ConditionFailed(str(answer)[:MESSAGE_LENGTH_MAX])
    return answer


def _combined(environment: Any, conditions: Sequence[Condition | ConditionRefused]) -> Any:
    """One expression whose answer has a bit for each condition that is not refused; None when
    there is none.
    """
    terms = [
        # The line end closes a comment that the condition may end in.
        f"(({condition.source}\n) ? {1 << bit} : 0)"
        for bit, condition in enumerate(conditions)
        if isinstance(condition, Condition)
    ]
    if not terms:
        return None
    try:
        return environment.compile(_balanced(terms))
    except (RuntimeError, TypeError):
        return None  # too deep together: they are asked one by one


def _balanced(terms: Sequence[str]) -> str:
    """A sum whose nesting grows with the logarithm of its length."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return f"({_balanced(terms[:half])} + {_balanced(terms[half:])})"
