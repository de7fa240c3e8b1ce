"""Comparisons with more than what is counted: never true, or always, whatever somebody meant."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, product, takewhile
from typing import NamedTuple

from risk.condition_checks import Engine, choices, elements
from risk.condition_refusals import refused_at
from risk.condition_trees import Kind, Loops, Node, Tree
from risk.facts import Catalogue

SUMS_MAX = 20
"""What one side of a comparison may come to, as far as that is looked at."""
STEPS_MAX = 10_000
"""Then no more of a condition is looked at. One that lists its numbers a hundred times over takes a
few hundred; who writes more than this does not mean a count.
"""
_COMPARISONS = frozenset({"_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_"})
_CONVERSIONS = frozenset({"int", "uint", "double"})

_Compared = tuple[Node, Node, Loops]


def check_maxima(source: str, tree: Tree, engine: Engine, catalogue: Catalogue) -> None:
    """Raises ConditionRefused where what ends at a maximum is compared with that or more, however
    the number is written.
    """
    sides = _Sides(engine, catalogue)
    compared = (it for node, loops in tree.root.walk() for it in _compared(node, loops))
    for left, right, loops in takewhile(sides.has_steps, compared):
        if name := sides.find_beyond(left, right, loops):
            most = catalogue.kind(name).most
            place = right.place if left.names else left.place
            raise refused_at(source, place, f"{name} is counted up to {most}; compare with less")


def _compared(node: Node, loops: Loops) -> Iterator[_Compared]:
    if node.kind is not Kind.CALL:
        return
    if node.word in _COMPARISONS and node.names:
        yield node.parts[0], node.parts[1], loops
    elif node.word == "@in":
        for element in elements(node.parts[1], loops):
            yield node.parts[0], element, loops


class _Sum(NamedTuple):
    """A number, and facts so many times."""

    number: float
    times: Mapping[str, float]

    def plus(self, other: "_Sum") -> "_Sum":
        names = {**self.times, **other.times}
        times = {it: self.times.get(it, 0) + other.times.get(it, 0) for it in names}
        return _Sum(self.number + other.number, times)

    def scaled(self, by: float) -> "_Sum":
        return _Sum(self.number * by, {name: it * by for name, it in self.times.items()})


@dataclass(slots=True)
class _Sides:
    engine: Engine
    catalogue: Catalogue
    _steps: int = 0

    def has_steps(self, _: _Compared) -> bool:
        """Whether another comparison is looked at; each is a step."""
        self._steps += 1
        return self._steps < STEPS_MAX

    def find_beyond(self, left: Node, right: Node, loops: Loops) -> str | None:
        """The name of a fact whose maximum decides the comparison, if one does."""
        ours = self._sums(left, loops)
        theirs = self._sums(right, loops) if ours else []
        for one, other in product(ours, theirs):
            self._steps += 1
            if not (one.times or other.times):
                continue
            difference = one.plus(other.scaled(-1))
            if self._is_decided(difference):
                return next(it for it, times in difference.times.items() if times)
        return None

    def _is_decided(self, difference: _Sum) -> bool:
        """Whether facts at their maxima do not bring it beyond 0."""
        most = {name: self.catalogue.kind(name).most or 0 for name in difference.times}
        up = sum(it * most[name] for name, it in difference.times.items() if it > 0)
        down = sum(it * most[name] for name, it in difference.times.items() if it < 0)
        return bool(
            (up and difference.number + up <= 0) or (down and difference.number + down >= 0)
        )

    def _sums(self, node: Node, loops: Loops) -> list[_Sum]:
        """What it may come to, as far as that is numbers and facts that have a maximum."""
        found = (it for choice in choices(node, loops) for it in self._of_choice(choice, loops))
        return list(islice(found, SUMS_MAX))

    def _of_choice(self, node: Node, loops: Loops) -> Iterator[_Sum]:
        self._steps += 1
        if not node.names:
            # Without a value it is nothing; what is around it may have one all the same.
            with suppress(ValueError):
                value = self.engine.value_of(node)
                if isinstance(value, int | float) and not isinstance(value, bool):
                    yield _Sum(value, {})
        elif node.kind is Kind.NAME:
            kind = self.catalogue.find(node.word)
            if kind is not None and kind.most is not None:
                yield _Sum(0, {node.word: 1})
        elif node.kind is Kind.CALL:
            yield from self._of_call(node, loops)

    def _of_call(self, node: Node, loops: Loops) -> Iterator[_Sum]:
        sides = [self._sums(part, loops) for part in node.parts]
        if node.word in _CONVERSIONS:
            yield from sides[0]
        elif node.word == "-_":
            yield from (it.scaled(-1) for it in sides[0])
        elif together := _TOGETHER.get(node.word):
            yield from (it for one in sides[0] for other in sides[1] for it in together(one, other))


def _product(one: _Sum, other: _Sum) -> list[_Sum]:
    """Of numbers, or of one with a sum."""
    if not one.times:
        return [other.scaled(one.number)]
    return [] if other.times else [one.scaled(other.number)]


_TOGETHER: Mapping[str, Callable[[_Sum, _Sum], list[_Sum]]] = {
    "_+_": lambda one, other: [one.plus(other)],
    "_-_": lambda one, other: [one.plus(other.scaled(-1))],
    "_*_": _product,
}
