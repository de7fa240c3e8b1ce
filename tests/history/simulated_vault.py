"""A vault in memory that is right by construction: every call is one step, nothing is lost."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.history.books import (
    AllocationRow,
    Books,
    FreeRow,
    HandoutRow,
    LineRow,
    LotRow,
    ReservationRow,
    SaleRow,
    UnitRow,
    ViewRow,
    WithdrawnRow,
)
from tests.history.operations import Operation
from tests.history.tales import HOLDING, SECOND
from tests.history.unit_life import LOT_MOVES, SHOWN

Answer = dict[str, Any]


@dataclass(slots=True)
class SimUnit:
    unit: str
    lot: str
    pool: str
    seq: int
    code: str
    # shelf, free, reserved, sold, opened, quarantined, void
    place: str = "shelf"
    reservation: str = ""
    line_no: int = 0


@dataclass(slots=True)
class SimReservation:
    id: str
    reference: str
    lines: list[tuple[int, str, int]]
    expires_at: int
    status: str = "held"
    units: list[SimUnit] = field(default_factory=list)


class SimulatedVault:
    """`apply(call, now)` does what the call asks at that moment and answers like the real one."""

    def __init__(self) -> None:
        self.units: dict[str, SimUnit] = {}
        self.lots: dict[str, LotRow] = {}
        self.reservations: dict[str, SimReservation] = {}
        self.by_reference: dict[str, SimReservation] = {}
        self._handouts: list[HandoutRow] = []
        self._views: list[ViewRow] = []

    def apply(self, call: Operation, now: int) -> Answer:
        answer: Answer = getattr(self, f"_{call.op}")(call.args, now)
        return answer

    def expire(self, now: int) -> None:
        """The sweeper's round."""
        for held in self.reservations.values():
            if held.status == "held" and held.expires_at < now:
                self._put_back(held, "expired")

    def _import(self, args: Answer, _: int) -> Answer:
        lot = f"lot{len(self.lots) + 1}"
        codes = args["codes"]
        self.lots[lot] = LotRow(lot, args["pool"], "on_shelf", len(codes), 1, 0, 0)
        for seq, code in enumerate(codes, start=1):
            unit = SimUnit(f"{lot}-{seq}", lot, args["pool"], seq, code)
            self.units[unit.unit] = unit
        return {"lot": lot, "accepted": len(codes)}

    def _on_shelf(self, pool: str) -> list[SimUnit]:
        return [
            unit
            for unit in self.units.values()
            if unit.pool == pool
            and unit.place in ("shelf", "free")
            and self.lots[unit.lot].state == "on_shelf"
        ]

    def _reserve(self, args: Answer, now: int) -> Answer:
        lines = [(no, pool, units) for no, pool, units in args["lines"]]
        known = self.by_reference.get(args["reference"])
        if known is not None:
            if known.lines != lines:
                return {"error": "reference_reused"}
            return {"reservation": known.id, "status": known.status}
        shelves = {pool: self._on_shelf(pool) for _, pool, _ in lines}
        left = Counter({pool: len(units) for pool, units in shelves.items()})
        short = []
        for no, pool, units in lines:
            if units > left[pool]:
                short.append([no, pool, units, left[pool]])
            left[pool] = max(0, left[pool] - units)
        if short:
            return {"error": "out_of_stock", "short": short}
        number = len(self.reservations) + 1
        held = SimReservation(
            f"r{number}", args["reference"], lines, now + args["hold_seconds"] * SECOND
        )
        self.reservations[held.id] = self.by_reference[held.reference] = held
        for no, pool, count in lines:
            for _ in range(count):
                unit = shelves[pool].pop(0)
                unit.place, unit.reservation, unit.line_no = "reserved", held.id, no
                held.units.append(unit)
                lot = self.lots[unit.lot]
                lot.next_seq = max(lot.next_seq, unit.seq + 1)
        return {"reservation": held.id, "status": "held"}

    def _put_back(self, held: SimReservation, status: str) -> None:
        held.status = status
        for unit in held.units:
            unit.place, unit.reservation, unit.line_no = "free", "", 0
        held.units = []

    def _claim(self, args: Answer, _: int) -> Answer:
        held = self.reservations.get(args["reservation"])
        if held is None:
            return {"error": "reservation_not_found"}
        if held.status in ("expired", "released"):
            return {"error": f"reservation_{held.status}"}
        if held.status in HOLDING:
            held.status = "sold"
            for unit in held.units:
                unit.place = "sold"
        answer: Answer = {"units": [[unit.unit, unit.line_no] for unit in held.units]}
        if args["keyed"]:
            self._handouts.append(HandoutRow(f"h{len(self._handouts)}", held.id))
            answer["codes"] = {unit.unit: unit.code for unit in held.units}
        return answer

    def _release(self, args: Answer, _: int) -> Answer:
        held = self.reservations.get(args["reservation"])
        if held is None:
            return {"error": "reservation_not_found"}
        if held.status == "sold":
            return {"error": "reservation_sold"}
        if held.status in HOLDING:
            self._put_back(held, "released")
        return {"status": held.status}

    def _read(self, args: Answer, _: int) -> Answer:
        held = self.reservations.get(args["reservation"])
        return {"status": held.status} if held else {"error": "reservation_not_found"}

    def _reveal(self, args: Answer, _: int) -> Answer:
        unit = self.units[args["unit"]]
        if unit.place not in SHOWN:
            return {"error": "unit_not_sold"}
        unit.place = "opened"
        view = ViewRow(f"v{len(self._views)}", unit.unit, unit.reservation)
        self._views.append(view)
        return {"code": unit.code, "view": view.view}

    def _look(self, args: Answer, _: int) -> Answer:
        return {"state": self._state_of(self.units[args["unit"]])}

    def _state_of(self, unit: SimUnit) -> str:
        if unit.place in ("shelf", "free"):
            state = self.lots[unit.lot].state
            return "available" if state == "on_shelf" else state
        return unit.place

    def _level(self, args: Answer, _: int) -> Answer:
        return {"available": len(self._on_shelf(args["pool"]))}

    def _quarantine(self, args: Answer, _: int) -> Answer:
        return self._withdraw(args, "quarantine", ("shelf", "free"), "quarantined")

    def _void(self, args: Answer, _: int) -> Answer:
        return self._withdraw(args, "void", ("shelf", "free", "quarantined"), "void")

    def _restore(self, args: Answer, _: int) -> Answer:
        return self._withdraw(args, "restore", ("quarantined",), "free")

    def _withdraw(self, args: Answer, act: str, before: tuple[str, ...], after: str) -> Answer:
        if "lot" in args:
            return self._move_lot(self.lots[args["lot"]], act)
        unit = self.units[args["unit"]]
        if unit.place not in before:
            return {"error": "not_on_shelf"}
        unit.place = after
        if after == "free" and unit.seq >= self.lots[unit.lot].next_seq:
            unit.place = "shelf"
        return {"state": unit.place}

    def _move_lot(self, lot: LotRow, act: str) -> Answer:
        before, after = LOT_MOVES[act]
        if lot.state not in before:
            return {"error": "not_on_shelf"}
        lot.state = after
        return {"state": after}

    def books(self, at: int) -> Books:
        books = Books(at=at, handouts=self._handouts, views=self._views)
        books.lots = list(self.lots.values())
        for unit in self.units.values():
            books.units.append(UnitRow(unit.unit, unit.lot, unit.seq, unit.code))
            self._book_unit(books, unit)
        for held in self.reservations.values():
            overdue = max(0.0, (at - held.expires_at) / SECOND) if held.status == "held" else 0.0
            books.reservations.append(ReservationRow(held.id, held.reference, held.status, overdue))
            books.lines += [LineRow(held.id, no, pool, units) for no, pool, units in held.lines]
        return books

    def _book_unit(self, books: Books, unit: SimUnit) -> None:
        lot = self.lots[unit.lot]
        # What stands ahead of the cursor needs no row; what is behind it does.
        if unit.place in ("shelf", "free") and unit.seq < lot.next_seq:
            books.free.append(FreeRow(unit.lot, unit.seq))
            lot.free_count += 1
        elif unit.place in ("quarantined", "void"):
            books.withdrawn.append(WithdrawnRow(unit.lot, unit.seq, unit.place))
            lot.gaps_ahead += unit.seq >= lot.next_seq
            setattr(lot, unit.place, getattr(lot, unit.place) + 1)
        elif unit.place in ("reserved", "sold", "opened"):
            where = (unit.lot, unit.seq, unit.reservation, unit.line_no)
            books.allocations.append(AllocationRow(*where, unit.place))
            if unit.place != "reserved":
                books.sales.append(SaleRow(unit.unit, *where))
                setattr(lot, unit.place, getattr(lot, unit.place) + 1)
