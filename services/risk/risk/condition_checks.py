"""Faults that the engine would meet only while it decides, found when a condition is saved.

A condition that has no answer asks for a hold: with such a fault it would hold every order.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from risk.condition_refusals import MESSAGE_LENGTH_MAX, refused_at
from risk.condition_shapes import REPEATED, REPEATED_PROBLEM
from risk.condition_trees import Kind, Loops, Node, Tree

ZONE_SHOWN_MAX = 60
"""Characters."""
_ZONED = 2
"""What `placed_at.getHours('Asia/Shanghai')` is given; without a zone it is one."""

_Nodes = tuple[Node, ...]
_Pick = Callable[[_Nodes, _Nodes], _Nodes]
"""Of the values and keys of a map."""


class Engine(Protocol):
    """What is asked of the engine."""

    def value_of(self, node: Node) -> object:
        """Of one that takes nothing from around it. Raises ValueError when it has none."""
        ...

    def knows_zone(self, name: str) -> bool: ...

    def fault_of_pattern(self, pattern: str) -> str:
        """Empty when there is none."""
        ...


def check_constants(source: str, tree: Tree, engine: Engine) -> None:
    """Raises ConditionRefused at what has no answer whatever the facts are: `timestamp('x')`."""
    for node in _constants(tree.root):
        _value_at(source, node, engine)


def check_patterns(source: str, tree: Tree, engine: Engine) -> None:
    """Raises ConditionRefused at a regular expression that is none or repeats something too often,
    where it is written down.
    """
    for node, loops in tree.root.walk():
        if node.kind is not Kind.CALL or node.word != "matches":
            continue
        for pattern in choices(node.parts[-1], loops):
            text = None if pattern.names else _value_at(source, pattern, engine)
            if not isinstance(text, str):
                continue
            # Of a text that is written with escapes only the value says it.
            if REPEATED.search(text):
                raise refused_at(source, pattern.place, REPEATED_PROBLEM)
            if fault := engine.fault_of_pattern(text):
                raise refused_at(source, pattern.place, fault[:MESSAGE_LENGTH_MAX])


def check_zones(source: str, tree: Tree, engine: Engine) -> None:
    """Raises ConditionRefused at a time zone that there is not, or that is anybody's guess."""
    for node, loops in tree.root.walk():
        if node.kind is Kind.CALL and node.word.startswith("get") and len(node.parts) == _ZONED:
            for zone in choices(node.parts[1], loops):
                _check_zone(source, zone, engine)


def _check_zone(source: str, zone: Node, engine: Engine) -> None:
    if zone.names:
        problem = "a time zone is written down here, as in 'Asia/Shanghai', so that it is checked"
        raise refused_at(source, zone.place, problem)
    name = _value_at(source, zone, engine)
    if not (isinstance(name, str) and engine.knows_zone(name)):
        problem = f"there is no time zone '{str(name)[:ZONE_SHOWN_MAX]}'"
        raise refused_at(source, zone.place, f"{problem}; one is 'Asia/Shanghai' or '+08:00'")


def _value_at(source: str, node: Node, engine: Engine) -> object:
    try:
        return engine.value_of(node)
    except ValueError as error:
        raise refused_at(source, node.place, str(error)[:MESSAGE_LENGTH_MAX]) from error


def _constants(node: Node) -> Iterator[Node]:
    """What takes nothing from around it and is no part of such a thing."""
    if not node.names:
        if node.kind is not Kind.CONSTANT:
            yield node
        return
    for part in node.parts:
        yield from _constants(part)


def choices(node: Node, loops: Loops) -> Iterator[Node]:
    """All that a node may turn out to be, as far as the condition itself says it."""
    if node.names and node.kind is Kind.CALL and node.word == "_?_:_":
        for part in node.parts[1:]:
            yield from choices(part, loops)
    elif node.names and node.kind is Kind.CALL and node.word == "_[_]":
        yield from _held(node.parts[0], loops, lambda values, keys: values)
    elif node.kind is Kind.NAME and node.word in loops:
        # Loops are not within one another: what is gone through is in none.
        yield from elements(loops[node.word], {})
    else:
        yield node


def elements(container: Node, loops: Loops) -> Iterator[Node]:
    """What a loop finds in it: of a map the keys. A container that is not written down stands for
    what it holds.
    """
    yield from _held(container, loops, lambda values, keys: keys)


def _held(container: Node, loops: Loops, of_map: _Pick) -> Iterator[Node]:
    for one in choices(container, loops):
        if one.kind is Kind.LIST:
            held = one.parts
        elif one.kind is Kind.MAP:
            half = len(one.parts) // 2
            held = of_map(one.parts[:half], one.parts[half:])
        else:
            yield one
            continue
        for part in held:
            yield from choices(part, loops)
