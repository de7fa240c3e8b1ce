"""`check(history, books)`: every violation of I1 to I7 and I10, or none.

python -m tests.history.checker FOLDER      history.jsonl and books.json of a run, again
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.history.books import Books, read_books
from tests.history.conservation import check_conserved
from tests.history.endings import HOLD_GRACE_SECONDS, check_definite, check_live
from tests.history.operations import History, read_history
from tests.history.ownership import check_no_early_reveal, check_stable, check_unique
from tests.history.reservation_life import check_reservations
from tests.history.stock import check_stock
from tests.history.tales import Tales
from tests.history.unit_life import check_units
from tests.history.violations import Invariant, Violation

HISTORY_FILE = "history.jsonl"
BOOKS_FILE = "books.json"
SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Report:
    operations: int
    violations: tuple[Violation, ...]
    # Objects whose search for an order gave up: neither right nor wrong.
    undecided: int

    @property
    def flags(self) -> frozenset[Invariant]:
        return frozenset(violation.invariant for violation in self.violations)

    def __str__(self) -> str:
        kinds = Counter(violation.invariant.value for violation in self.violations)
        head = f"{self.operations} operations, {len(self.violations)} violations {dict(kinds)}"
        shown = [f"  {violation}" for violation in self.violations[:SHOWN_MAX]]
        return "\n".join([f"{head}, {self.undecided} undecided", *shown])


def check(history: History, books: Books, grace_seconds: float = HOLD_GRACE_SECONDS) -> Report:
    tales = Tales(history, books)
    violations: list[Violation] = []
    undecided = 0
    for found in _found(tales, grace_seconds):
        if found is None:
            undecided += 1
        else:
            violations.append(found)
    return Report(len(history.operations), tuple(violations), undecided)


def _found(tales: Tales, grace_seconds: float) -> Iterator[Violation | None]:
    yield from check_unique(tales)
    yield from check_stable(tales)
    yield from check_conserved(tales)
    yield from check_no_early_reveal(tales)
    yield from check_definite(tales)
    yield from check_live(tales, grace_seconds)
    yield from check_reservations(tales)
    yield from check_units(tales)
    yield from check_stock(tales)


def main(folder: Path) -> int:
    report = check(read_history(folder / HISTORY_FILE), read_books(folder / BOOKS_FILE))
    sys.stdout.write(f"{report}\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
