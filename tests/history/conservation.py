"""I3 conserved: what came in is in exactly one place, and rows, tallies and holds agree."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.history.books import AllocationRow, Books, LotRow, Place, ReservationRow
from tests.history.tales import HOLDING, Tales
from tests.history.violations import Invariant, Violation, calls_of

SOLD_STATES = ("sold", "opened", "redeemed")


def check_conserved(tales: Tales) -> Iterator[Violation]:
    yield from _check_imports(tales)
    yield from _check_places(tales.books)
    for lot in tales.books.lots:
        yield from _check_lot(tales.books, lot)
    yield from _check_holds(tales)
    yield from _check_sales(tales.books)


def _wrong(subject: str, what: str, calls: tuple[int, ...] = ()) -> Violation:
    return Violation(Invariant.CONSERVED, subject, what, calls)


def _check_imports(tales: Tales) -> Iterator[Violation]:
    """Every code of a finished import is there once; of an unknown one all or none; no others."""
    books = tales.books
    there = Counter(row.code for row in books.units if _is_visible(books, row.lot) and row.code)
    for call in tales.history.of("import"):
        codes = call.args["codes"]
        found = sum(there[code] for code in codes)
        expected = {len(codes)} if call.ok else {0} if call.failed else {0, len(codes)}
        if found not in expected or any(there[code] > 1 for code in codes):
            what = f"brought {len(codes)} codes ({call.outcome}), {found} are there"
            yield _wrong(f"import {call.call}", what, (call.call,))
    imported = tales.imports_of_codes
    invented = [row.unit for row in books.units if row.code not in imported]
    for unit in invented:
        yield _wrong(unit, "came in by no import")


def _is_visible(books: Books, lot: str) -> bool:
    """A lot whose import did not finish is not there yet, or is being taken back."""
    row = books.lot_of.get(lot)
    return row is not None and row.state != "importing"


def _check_places(books: Books) -> Iterator[Violation]:
    """Allocated, free, withdrawn or ahead of the cursor: one of them, once."""
    places: Counter[Place] = Counter()
    places.update((row.lot, row.seq) for row in books.allocations)
    gaps = places.keys() | {(row.lot, row.seq) for row in books.withdrawn}
    places.update((row.lot, row.seq) for row in books.free)
    places.update((row.lot, row.seq) for row in books.withdrawn)
    for unit in books.units:
        lot = books.lot_of.get(unit.lot)
        if lot is None:
            yield _wrong(unit.unit, f"is of lot {unit.lot}, which is not there")
            continue
        if lot.state == "importing":
            continue
        place = (unit.lot, unit.seq)
        # Ahead of the cursor a row makes a gap: then both places are one.
        is_ahead = unit.seq >= lot.next_seq and place not in gaps
        if places[place] + is_ahead != 1:
            yield _wrong(unit.unit, f"is in {places[place] + is_ahead} places instead of one")
    for lot_id, seq in places:
        if (lot_id, seq) not in books.unit_at:
            yield _wrong(f"{lot_id}/{seq}", "is somewhere, but no such unit came in")


def _check_lot(books: Books, lot: LotRow) -> Iterator[Violation]:
    """The lot's figures against its rows."""
    if lot.state == "importing":
        return
    states = Counter(row.state for row in books.allocations if row.lot == lot.lot)
    gone = Counter(row.state for row in books.withdrawn if row.lot == lot.lot)
    gaps = [row.seq for row in books.allocations if row.lot == lot.lot]
    gaps += [row.seq for row in books.withdrawn if row.lot == lot.lot]
    counted = {
        "size": sum(1 for row in books.units if row.lot == lot.lot),
        "free_count": sum(1 for row in books.free if row.lot == lot.lot),
        "gaps_ahead": sum(seq >= lot.next_seq for seq in gaps),
        **{state: states[state] for state in SOLD_STATES},
        **{state: gone[state] for state in ("expired", "quarantined", "void")},
    }
    for name, rows in counted.items():
        if getattr(lot, name) != rows:
            yield _wrong(lot.lot, f"{name} is {getattr(lot, name)}, its rows say {rows}")


def _check_holds(tales: Tales) -> Iterator[Violation]:
    """A hold or a sale has all its units line by line, what ended has none."""
    books = tales.books
    held: defaultdict[str, list[AllocationRow]] = defaultdict(list)
    for allocation in books.allocations:
        held[allocation.reservation].append(allocation)
    known = {row.reservation for row in books.reservations}
    for reservation in held.keys() - known:
        yield _wrong(reservation, "holds units, but is not in the books")
    for row in books.reservations:
        yield from _check_hold(tales, row, held[row.reservation])


def _check_hold(
    tales: Tales, row: ReservationRow, held: list[AllocationRow]
) -> Iterator[Violation]:
    books = tales.books
    wanted: Counter[tuple[int, str, str]] = Counter()
    if row.status in HOLDING or row.status == "sold":
        kind = "sold" if row.status == "sold" else "reserved"
        for line in books.lines_of.get(row.reservation, []):
            wanted[line.line_no, line.pool, kind] += line.quantity
    found: Counter[tuple[int, str, str]] = Counter()
    for allocation in held:
        lot = books.lot_of.get(allocation.lot)
        kind = "sold" if allocation.state in SOLD_STATES else allocation.state
        found[allocation.line_no, lot.pool if lot else "?", kind] += 1
    if found != wanted:
        tale = tales.tale_of(row.reservation)
        what = f"{row.status}: its lines want {dict(wanted)}, allocated are {dict(found)}"
        yield _wrong(row.reference, what, calls_of(tale.operations) if tale else ())


def _check_sales(books: Books) -> Iterator[Violation]:
    """One sale row per sold unit, and no other."""
    allocated = Counter(
        (row.lot, row.seq, row.reservation, row.line_no)
        for row in books.allocations
        if row.state in SOLD_STATES
    )
    booked = Counter((row.lot, row.seq, row.reservation, row.line_no) for row in books.sales)
    for lot, seq, reservation, _ in (allocated - booked) + (booked - allocated):
        unit = books.unit_at.get((lot, seq))
        name = unit.unit if unit else f"{lot}/{seq}"
        yield _wrong(name, f"sale row and allocation to {reservation} do not match")
    for sale in books.sales:
        unit = books.unit_at.get((sale.lot, sale.seq))
        if unit is None or unit.unit != sale.unit:
            yield _wrong(sale.unit, "the sale names another unit than its place holds")
