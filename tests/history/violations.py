"""What a checker finds wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tests.history.operations import Operation

CALLS_NAMED_MAX = 12


class Invariant(StrEnum):
    UNIQUE = "I1 unique"
    STABLE = "I2 stable"
    CONSERVED = "I3 conserved"
    NO_EARLY_REVEAL = "I4 no early reveal"
    DEFINITE = "I5 definite stays definite"
    LINEARIZABLE = "I6 linearizable"
    NO_FALSE_SELL_OUT = "I7 no false sell-out"
    LIVE = "I10 live"


@dataclass(frozen=True, slots=True)
class Violation:
    """`subject` is the unit, reservation, lot or pool; `calls` are the operations involved."""

    invariant: Invariant
    subject: str
    what: str
    calls: tuple[int, ...] = ()

    def __str__(self) -> str:
        named = ", ".join(map(str, self.calls[:CALLS_NAMED_MAX]))
        more = " ..." if len(self.calls) > CALLS_NAMED_MAX else ""
        return f"{self.invariant.value}: {self.subject}: {self.what} [calls {named}{more}]"


def calls_of(operations: Iterable[Operation]) -> tuple[int, ...]:
    return tuple(operation.call for operation in operations)
