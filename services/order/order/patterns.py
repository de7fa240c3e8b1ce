"""Patterns that merchants write for what buyers enter, matched in bounded time.

A merchant's pattern runs on every order of its product, so it must not be able to stop the
service. Python's `re` backtracks: `(a+)+b` or `a*a*a*a*b` takes minutes for a short text. This is
the part of its language that needs no backtracking: characters, sets, counts, and alternatives at
the top. Matching walks all possibilities at once, as bits of one number: at most `ATOMS_MAX` x
`COUNT_MAX` steps over texts of `TEXT_MAX` characters, whatever pattern and text are.
"""

from dataclasses import dataclass
from functools import lru_cache

PATTERN_MAX = 200
ATOMS_MAX = 50
COUNT_MAX = 100
TEXT_MAX = 100

Ranges = tuple[tuple[str, str], ...]

_CLASSES: dict[str, Ranges] = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": ((" ", " "),),
}
_ANY: Ranges = (("\0", "\U0010ffff"),)
_COUNTS = {"?": (0, 1), "*": (0, COUNT_MAX), "+": (1, COUNT_MAX)}


class BadPattern(ValueError):
    """The pattern is not in the language; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Atom:
    """Some characters, so many times."""

    ranges: Ranges
    is_negated: bool = False
    least: int = 1
    most: int = 1

    def takes(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) is not self.is_negated


@dataclass(frozen=True, slots=True)
class Pattern:
    alternatives: tuple[tuple[Atom, ...], ...]

    def matches(self, text: str) -> bool:
        """Whether the whole text fits one of the alternatives."""
        if len(text) > TEXT_MAX:
            return False
        return any(_reaches_end(atoms, text) for atoms in self.alternatives)


def _reaches_end(atoms: tuple[Atom, ...], text: str) -> bool:
    reached = 1  # bit n: the atoms so far may have used up n characters
    for atom in atoms:
        fits = sum(1 << at for at, character in enumerate(text) if atom.takes(character))
        for _ in range(atom.least):
            reached = (reached & fits) << 1
        further = reached
        for _ in range(atom.most - atom.least):
            further = (further & fits) << 1
            if not further:
                break
            reached |= further
    return bool(reached >> len(text) & 1)


@lru_cache(maxsize=1_000)
def parse(text: str) -> Pattern:
    """The pattern; `^` at the beginning and `$` at the end may be there. Raises BadPattern."""
    if len(text) > PATTERN_MAX:
        raise BadPattern(f"longer than {PATTERN_MAX} characters")
    reader = _Reader(text.removeprefix("^"))
    alternatives: list[tuple[Atom, ...]] = []
    atoms: list[Atom] = []
    while (character := reader.take()) is not None:
        if character == "|":
            alternatives.append(tuple(atoms))
            atoms = []
        elif not (character == "$" and reader.is_done):
            atoms.append(reader.counted(reader.atom(character)))
    alternatives.append(tuple(atoms))
    if sum(map(len, alternatives)) > ATOMS_MAX:
        raise BadPattern(f"more than {ATOMS_MAX} parts")
    return Pattern(tuple(alternatives))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._text)

    def take(self) -> str | None:
        if self.is_done:
            return None
        self._at += 1
        return self._text[self._at - 1]

    def atom(self, character: str) -> Atom:
        if character == "\\":
            return Atom(self._escaped())
        if character == "[":
            return self._set()
        if character == ".":
            return Atom(_ANY)
        if character in "()^$*+?{}]":
            raise BadPattern(
                f"{character!r} at {self._at} is not supported: use characters, sets [a-z], \\d, "
                "counts {2,5} and | between whole alternatives; \\ before a sign means the sign"
            )
        return Atom(((character, character),))

    def counted(self, atom: Atom) -> Atom:
        """With the count that follows, if one does."""
        following = "" if self.is_done else self._text[self._at]
        if following in _COUNTS:
            self._at += 1
            least, most = _COUNTS[following]
            return Atom(atom.ranges, atom.is_negated, least, most)
        if following != "{":
            return atom
        inside, closed, _ = self._text[self._at + 1 :].partition("}")
        first, comma, last = inside.partition(",")
        numbers = [first] if not comma or not last else [first, last]
        if not closed or not all(number.isascii() and number.isdigit() for number in numbers):
            raise BadPattern(f"the count at {self._at + 1} is not {{2}}, {{2,}} or {{2,5}}")
        self._at += len(inside) + 2
        least = int(first[:4])
        most = least if not comma else int(last[:4]) if last else COUNT_MAX
        if not least <= most <= COUNT_MAX:
            raise BadPattern(f"counts go up to {COUNT_MAX}, the smaller one first")
        return Atom(atom.ranges, atom.is_negated, least, most)

    def _escaped(self) -> Ranges:
        character = self.take()
        if character in _CLASSES:
            return _CLASSES[character]
        if character is None or character.isalnum():
            raise BadPattern(f"\\{character or ''} is not supported; there are \\d, \\w and \\s")
        return ((character, character),)

    def _set(self) -> Atom:
        is_negated = not self.is_done and self._text[self._at] == "^"
        self._at += is_negated
        ranges: list[tuple[str, str]] = []
        while (character := self.take()) != "]":
            if character is None:
                raise BadPattern("a set [ is not closed")
            members = self._escaped() if character == "\\" else ((character, character),)
            if len(members) == 1 and self._text[self._at : self._at + 1] == "-":
                members = (self._range(members[0][0]),)
            ranges += members
        if not ranges:
            raise BadPattern("a set [] is empty")
        return Atom(tuple(ranges), is_negated)

    def _range(self, low: str) -> tuple[str, str]:
        """What begins with `low`; a `-` before the end of a set is the sign itself."""
        high = self._text[self._at + 1 : self._at + 2]
        if high in ("", "]", "\\"):
            return low, low
        self._at += 2
        if high < low:
            raise BadPattern(f"the range {low}-{high} runs backwards")
        return low, high
