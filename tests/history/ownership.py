"""I1 unique, I2 stable, I4 no early reveal: who got which unit and saw which code."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.history.books import SaleRow
from tests.history.operations import Operation
from tests.history.tales import ReservationTale, Tales, UnitTale, claimants
from tests.history.violations import Invariant, Violation, calls_of


def check_unique(tales: Tales) -> Iterator[Violation]:
    """A unit has one owner and one sale, a code one unit, over the whole history."""
    for tale in tales.units.values():
        if len(tale.owners) > 1:
            names = ", ".join(sorted(tale.owners))
            claims = calls_of(claimants(tales, sorted(tale.owners)))
            yield Violation(Invariant.UNIQUE, tale.unit, f"belongs to {names}", claims)
    for code, units in _units_by_code(tales).items():
        if len(units) > 1:
            shown = [c for unit in sorted(units) for _, c in tales.units[unit].codes]
            what = f"is the code of {', '.join(sorted(units))}"
            yield Violation(Invariant.UNIQUE, code, what, calls_of(shown))
    for unit, times in Counter(row.unit for row in tales.books.sales).items():
        if times > 1:
            yield Violation(Invariant.UNIQUE, unit, f"has {times} sales in the books")


def _units_by_code(tales: Tales) -> dict[str, set[str]]:
    """Whoever showed it, and whose box holds it by the books."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for tale in tales.units.values():
        for code, _ in tale.codes:
            found[code].add(tale.unit)
    for row in tales.books.units:
        if row.code:
            found[row.code].add(row.unit)
    return found


def check_stable(tales: Tales) -> Iterator[Violation]:
    """A sale always answers the same units, as many as were asked for; a unit the same code."""
    for tale in tales.reservations.values():
        yield from _check_claims(tales, tale)
    for unit in tales.units.values():
        codes = {code for code, _ in unit.codes}
        if len(codes) > 1:
            calls = calls_of(call for _, call in unit.codes)
            yield Violation(Invariant.STABLE, unit.unit, "shows different codes", calls)


def _check_claims(tales: Tales, tale: ReservationTale) -> Iterator[Violation]:
    answers = {
        frozenset(Counter(map(tuple, c.result["units"])).items()) for c in tale.claims if c.ok
    }
    good = [call for call in tale.claims if call.ok]
    if len(answers) > 1:
        what = "is claimed with different units"
        yield Violation(Invariant.STABLE, tale.reference, what, calls_of(good))
    wanted = {line.line_no: line.quantity for line in tales.lines(tale)}
    for call in good:
        got = Counter(line_no for _, line_no in call.result["units"])
        units = {unit for unit, _ in call.result["units"]}
        if dict(got) != wanted or len(units) != sum(wanted.values()):
            what = f"wanted {wanted} by line, got {dict(got)} with {len(units)} different units"
            yield Violation(Invariant.STABLE, tale.reference, what, (call.call,))
        booked = {(row.unit, row.line_no) for id_ in tale.ids for row in _sales(tales, id_)}
        if booked != set(map(tuple, call.result["units"])):
            what = "the books name other units than the claim"
            yield Violation(Invariant.STABLE, tale.reference, what, (call.call,))


def _sales(tales: Tales, reservation: str) -> list[SaleRow]:
    return tales.books.sales_of.get(reservation, [])


def check_no_early_reveal(tales: Tales) -> Iterator[Violation]:
    """Shown is only what was claimed before, is sold in the end, and stands in the log."""
    viewed = {row.view: row for row in tales.books.views}
    for tale in tales.units.values():
        for _, call in tale.codes:
            yield from _check_shown(tales, tale, call)
            if call.op != "reveal":
                continue
            view = viewed.get(call.result["view"])
            if view is None or view.unit != tale.unit:
                yield Violation(
                    Invariant.NO_EARLY_REVEAL, tale.unit, "is shown without a log row", (call.call,)
                )
    handed = Counter(row.reservation for row in tales.books.handouts)
    for reservation in tales.reservations.values():
        shown = [c for c in reservation.claims if c.ok and c.result.get("codes")]
        if len(shown) > sum(handed[id_] for id_ in reservation.ids):
            what = "is handed out more often than the log says"
            yield Violation(Invariant.NO_EARLY_REVEAL, reservation.reference, what, calls_of(shown))


def _check_shown(tales: Tales, tale: UnitTale, call: Operation) -> Iterator[Violation]:
    owners = [found for id_ in tale.owners if (found := tales.tale_of(id_)) is not None]
    claims = [c for c in claimants(tales, tale.owners) if c.invoked_at < call.returned_at]
    if not claims:
        what = "is shown before anybody claimed it"
        yield Violation(Invariant.NO_EARLY_REVEAL, tale.unit, what, (call.call,))
    for owner in owners:
        if owner.status != "sold":
            what = f"is shown, but {owner.reference} is {owner.status}"
            yield Violation(Invariant.NO_EARLY_REVEAL, tale.unit, what, (call.call,))
