"""Tales: the operations of a history gathered by reservation and by unit, beside their rows."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.history.books import Books, LineRow, ReservationRow
from tests.history.operations import FOREVER, History, Operation

SECOND = 1_000_000_000
CLOCK_SLACK_NS = 50_000_000
"""The database's clock against the callers': what an expiry may seem to come too early by."""

GONE = frozenset({"released", "expired"})
HOLDING = frozenset({"held", "secured"})


@dataclass(slots=True)
class ReservationTale:
    """Everything that was done under one reference."""

    reference: str
    rows: list[ReservationRow] = field(default_factory=list)
    reserves: list[Operation] = field(default_factory=list)
    claims: list[Operation] = field(default_factory=list)
    releases: list[Operation] = field(default_factory=list)
    reads: list[Operation] = field(default_factory=list)

    @property
    def operations(self) -> list[Operation]:
        return [*self.reserves, *self.claims, *self.releases, *self.reads]

    @property
    def ids(self) -> set[str]:
        """Every reservation that was ever answered under this reference, or stands in the books."""
        told = {str(call.result["reservation"]) for call in self.reserves if call.ok}
        return told | {row.reservation for row in self.rows}

    @property
    def status(self) -> str:
        """In the books; "none" when there is no row."""
        return self.rows[0].status if self.rows else "none"

    @property
    def is_there(self) -> bool:
        return bool(self.rows) or any(call.ok for call in self.reserves)

    @property
    def begins(self) -> int:
        """The first moment at which units may be held."""
        return min((c.invoked_at for c in self.reserves if c.may_have_worked), default=FOREVER)

    @property
    def begun(self) -> int:
        """The first moment at which they are held for certain."""
        told = [c.returned_at for c in self.operations if c.ok]
        return min(told, default=FOREVER)

    @property
    def may_expire(self) -> int:
        """The first moment at which the hold may run out."""
        holds = [c.args["hold_seconds"] for c in self.reserves if c.may_have_worked]
        if not holds or self.begins == FOREVER:
            return FOREVER
        return self.begins + int(min(holds) * SECOND) - CLOCK_SLACK_NS

    @property
    def may_be_sold(self) -> int:
        return min((c.invoked_at for c in self.claims if c.may_have_worked), default=FOREVER)

    @property
    def sold(self) -> int:
        return min((c.returned_at for c in self.claims if c.ok), default=FOREVER)

    @property
    def may_be_back(self) -> int:
        """The first moment at which its units may be on the shelf again."""
        if self.status == "sold":
            return FOREVER
        released = min((c.invoked_at for c in self.releases if c.may_have_worked), default=FOREVER)
        return min(released, self.may_expire)

    @property
    def back(self) -> int:
        """The first moment at which they are there for certain: somebody was told."""
        return min(
            (call.returned_at for call in self.operations if observed(call) in GONE),
            default=FOREVER,
        )


def observed(call: Operation) -> str:
    """The reservation's status that an answer tells; "" when it tells none."""
    if call.ok:
        return "sold" if call.op == "claim" else str(call.result.get("status", ""))
    if not call.failed:
        return ""
    return {
        "reservation_expired": "expired",
        "reservation_released": "released",
        "reservation_sold": "sold",
        "reservation_not_found": "none",
    }.get(call.error, "")


@dataclass(slots=True)
class UnitTale:
    """What is known of one unit: who got it, and every call that names it."""

    unit: str
    lot: str = ""
    owners: set[str] = field(default_factory=set)
    calls: list[Operation] = field(default_factory=list)
    # (code, call that showed it)
    codes: list[tuple[str, Operation]] = field(default_factory=list)


class Tales:
    """A history and its books, indexed once for all checks."""

    def __init__(self, history: History, books: Books) -> None:
        self.history = history
        self.books = books
        self.reservations: dict[str, ReservationTale] = {}
        self.units: defaultdict[str, UnitTale] = defaultdict(lambda: UnitTale(""))
        self.lot_calls: defaultdict[str, list[Operation]] = defaultdict(list)
        self._reference_of: dict[str, str] = {}
        self._gather_reservations()
        self._gather_units()

    def tale_of(self, reservation: str) -> ReservationTale | None:
        reference = self._reference_of.get(reservation)
        return None if reference is None else self.reservations[reference]

    @property
    def imports_of_codes(self) -> dict[str, Operation]:
        """The import that brought a code."""
        return {code: c for c in self.history.of("import") for code in c.args["codes"]}

    def lines(self, tale: ReservationTale) -> list[LineRow]:
        """As booked; while there is no booking as asked."""
        for row in tale.rows:
            return self.books.lines_of.get(row.reservation, [])
        for call in tale.reserves:
            if call.may_have_worked:
                return [LineRow("", no, pool, units) for no, pool, units in call.args["lines"]]
        return []

    def _reservation(self, reference: str) -> ReservationTale:
        return self.reservations.setdefault(reference, ReservationTale(reference))

    def _gather_reservations(self) -> None:
        for row in self.books.reservations:
            self._reservation(row.reference).rows.append(row)
            self._reference_of[row.reservation] = row.reference
        for call in self.history.of("reserve"):
            self._reservation(call.args["reference"]).reserves.append(call)
            if call.ok:
                self._reference_of.setdefault(call.result["reservation"], call.args["reference"])
        for call in self.history.of("claim", "release", "read"):
            reservation = call.args["reservation"]
            reference = self._reference_of.setdefault(reservation, f"unknown {reservation}")
            tale = self._reservation(reference)
            {"claim": tale.claims, "release": tale.releases, "read": tale.reads}[call.op].append(
                call
            )

    def _gather_units(self) -> None:
        for row in self.books.units:
            tale = self._unit(row.unit)
            tale.lot = row.lot
            found = self.books.allocations_at.get((row.lot, row.seq), ())
            tale.owners |= {allocation.reservation for allocation in found}
        for sale in self.books.sales:
            self._unit(sale.unit).owners.add(sale.reservation)
        for call in self.history.of("claim"):
            if call.ok:
                self._gather_claimed(call)
        for call in self.history.of("reveal", "look", "quarantine", "restore", "void"):
            if "lot" in call.args:
                self.lot_calls[call.args["lot"]].append(call)
                continue
            tale = self._unit(call.args["unit"])
            tale.calls.append(call)
            if call.op == "reveal" and call.ok:
                tale.codes.append((call.result["code"], call))

    def _gather_claimed(self, call: Operation) -> None:
        for unit, _ in call.result["units"]:
            self._unit(unit).owners.add(call.args["reservation"])
        for unit, code in call.result.get("codes", {}).items():
            self._unit(unit).codes.append((code, call))

    def _unit(self, unit: str) -> UnitTale:
        tale = self.units[unit]
        tale.unit = unit
        return tale


def claimants(tales: Tales, reservations: Iterable[str]) -> list[Operation]:
    """The claims of these reservations that may have worked."""
    found: list[Operation] = []
    for reservation in reservations:
        tale = tales.tale_of(reservation)
        if tale is not None:
            found += [call for call in tale.claims if call.may_have_worked]
    return found
