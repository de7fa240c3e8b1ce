"""I5 definite stays definite, I10 live: what was answered against what the books say."""

from collections import Counter
from collections.abc import Iterator

from tests.history.tales import ReservationTale, Tales, observed
from tests.history.violations import Invariant, Violation, calls_of

FINAL = ("sold", "released", "expired")
HOLD_GRACE_SECONDS = 60.0


def check_definite(tales: Tales) -> Iterator[Violation]:
    for tale in tales.reservations.values():
        yield from _check_presence(tales, tale)
        yield from _check_lines(tales, tale)
        yield from _check_ending(tale)


def _wrong(tale: ReservationTale, what: str, calls=None) -> Violation:
    named = tale.operations if calls is None else calls
    return Violation(Invariant.DEFINITE, tale.reference, what, calls_of(named))


def _check_presence(tales: Tales, tale: ReservationTale) -> Iterator[Violation]:
    if len(tale.ids) > 1 or len(tale.rows) > 1:
        names = ", ".join(sorted(tale.ids))
        yield _wrong(tale, f"one reference, several reservations: {names}", tale.reserves)
    promised = [call for call in tale.reserves if call.ok]
    if promised and not tale.rows:
        yield _wrong(tale, "was held and is not in the books", promised)
    if tale.rows and not any(call.may_have_worked for call in tale.reserves):
        words = "every call was refused" if tale.reserves else "nobody asked for it"
        yield _wrong(tale, f"{words}, yet it is in the books", tale.reserves)


def _check_lines(tales: Tales, tale: ReservationTale) -> Iterator[Violation]:
    """What is there is there wholly: every line that was asked for, no other."""
    asked = [
        Counter((no, pool, units) for no, pool, units in call.args["lines"])
        for call in tale.reserves
        if call.may_have_worked
    ]
    for row in tale.rows:
        booked = Counter(
            (line.line_no, line.pool, line.quantity)
            for line in tales.books.lines_of.get(row.reservation, [])
        )
        if asked and booked not in asked:
            yield _wrong(tale, f"lines {list(booked)} are not the lines asked", tale.reserves)


def _check_ending(tale: ReservationTale) -> Iterator[Violation]:
    told = [(observed(call), call) for call in tale.operations]
    for status, call in told:
        if status in FINAL and tale.status != status:
            yield _wrong(tale, f"was {status}, the books say {tale.status}", [call])
    causes = {"sold": tale.claims, "released": tale.releases}
    if tale.status in causes and not any(c.may_have_worked for c in causes[tale.status]):
        yield _wrong(tale, f"is {tale.status} in the books, and nobody did that")


def check_live(tales: Tales, grace_seconds: float = HOLD_GRACE_SECONDS) -> Iterator[Violation]:
    """No hold outlives its time by more than the grace once everything is at rest."""
    for row in tales.books.reservations:
        if row.status == "held" and row.overdue_seconds > grace_seconds:
            what = f"is held {row.overdue_seconds:.0f} s past its time"
            tale = tales.tale_of(row.reservation)
            calls = calls_of(tale.operations) if tale else ()
            yield Violation(Invariant.LIVE, row.reference, what, calls)
