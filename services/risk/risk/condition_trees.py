"""A condition as the engine reads it: a tree, with the place of each part in the text.

The engine's Python module hands its tree out in no other way than written down, as the protobuf
message `cel.expr.CheckedExpr`; a handful of its fields is all that is needed of it. A part of the
tree, written down alike, is an expression of its own to the engine.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_VARINT, _DELIMITED = 0, 2
_FIXED = {1: 8, 5: 4}
_NOWHERE = 2**31


class Kind(StrEnum):
    CONSTANT = "constant"
    NAME = "name"
    SELECT = "select"
    CALL = "call"
    LIST = "list"
    MAP = "map"
    LOOP = "loop"


# Number of the field of `cel.expr.Expr` that says which -> kind; in that message the fields of the
# word and of the parts.
_KINDS: Mapping[int, tuple[Kind, int, Sequence[int]]] = {
    3: (Kind.CONSTANT, 0, ()),
    4: (Kind.NAME, 1, ()),
    5: (Kind.SELECT, 2, (1,)),
    6: (Kind.CALL, 2, (1, 3)),
    7: (Kind.LIST, 0, (1,)),
    8: (Kind.MAP, 1, ()),
    9: (Kind.LOOP, 1, (2, 4, 5, 6, 7)),
}
_ID, _ENTRIES, _KEY, _VALUE, _LOOP_VARIABLES = 2, 2, 3, 4, (1, 3, 8)


@dataclass(frozen=True, slots=True)
class Node:
    id: int
    kind: Kind
    place: int
    """Of its first character, from 0."""
    word: str
    """A name; the function of a call; the variable of a loop."""
    parts: tuple["Node", ...]
    """What a call is given; the elements of a list; the values of a map, then its keys; what a loop
    goes through, then what it does with each.
    """
    names: frozenset[str]
    """What it takes from around it. With none it has one value, whatever the facts are."""
    written: bytes

    def walk(self, loops: "Loops | None" = None) -> Iterator[tuple["Node", "Loops"]]:
        """Itself and all within, each with the loops around it."""
        around = loops or {}
        yield self, around
        within = {**around, self.word: self.parts[0]} if self.kind is Kind.LOOP else around
        for number, part in enumerate(self.parts):
            yield from part.walk(within if number else around)


Loops = Mapping[str, Node]
"""Variable of a loop -> what it goes through."""


class Tree:
    """Of what the engine writes down of an expression that it has found no fault with."""

    def __init__(self, written: bytes) -> None:
        outer = _Message(written)
        checked = _Message(outer.first(2))
        self._type = _field(1, outer.first(1))
        # What is known of each node: which function is called, and the type.
        self._known: dict[int, bytes] = defaultdict(bytes)
        for number in (2, 3):
            for entry in checked.all(number):
                self._known[_Message(entry).number(1)] += _field(number, entry)
        places = map(_Message, _Message(checked.first(5)).all(4))
        self._places = {it.number(1): it.number(2) for it in places}
        self.root = self._read(checked.first(4))

    def alone(self, node: Node) -> bytes:
        """What the engine would write down, were this node all there is."""
        known = b"".join(self._known.get(it.id, b"") for it, _ in node.walk())
        return self._type + _field(2, known + _field(4, node.written))

    def _read(self, written: bytes) -> Node:
        expression = _Message(written)
        number = next(it for it in _KINDS if it in expression)
        kind, word, fields = _KINDS[number]
        said = _Message(expression.first(number))
        whole = [it for field in fields for it in said.all(field)]
        if kind is Kind.MAP:
            entries = [_Message(it) for it in said.all(_ENTRIES)]
            whole = [it for field in (_VALUE, _KEY) for entry in entries for it in entry.all(field)]
        parts = tuple(map(self._read, whole))
        names = frozenset[str]().union(*(it.names for it in parts))
        if kind is Kind.NAME:
            names = frozenset({said.text(word)})
        elif kind is Kind.LOOP:
            names = parts[0].names | (names - {said.text(it) for it in _LOOP_VARIABLES})
        # The engine's own place of `a + b` is that of the sign.
        own_id = expression.number(_ID)
        place = min(self._places.get(own_id, _NOWHERE), *(it.place for it in parts), _NOWHERE)
        return Node(own_id, kind, place, said.text(word), parts, names, written)


class _Message:
    """A protobuf message by the numbers of its fields; of a field that is not there nothing."""

    def __init__(self, written: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = defaultdict(list)
        for number, value in _fields(written):
            self._fields[number].append(value)

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def all(self, number: int) -> list[bytes]:
        return [it for it in self._fields.get(number, ()) if isinstance(it, bytes)]

    def first(self, number: int) -> bytes:
        return next(iter(self.all(number)), b"")

    def text(self, number: int) -> str:
        return self.first(number).decode()

    def number(self, number: int) -> int:
        return next((it for it in self._fields.get(number, ()) if isinstance(it, int)), 0)


def _fields(written: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(written):
        tag, place = _varint(written, place)
        number, form = tag >> 3, tag & 7
        if form == _VARINT:
            value, place = _varint(written, place)
            yield number, value
            continue
        length = _FIXED.get(form)
        if length is None:
            length, place = _varint(written, place)
        yield number, written[place : place + length]
        place += length


def _varint(written: bytes, place: int) -> tuple[int, int]:
    """The number at this place, and the place behind it."""
    value = shift = 0
    while True:
        byte = written[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _field(number: int, value: bytes) -> bytes:
    return _head(number << 3 | _DELIMITED) + _head(len(value)) + value


def _head(value: int) -> bytes:
    """A number as `_varint` reads it."""
    head = bytearray()
    while value >= 0x80:
        head.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*head, value])
