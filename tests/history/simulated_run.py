"""Clean histories: callers with random timing against the simulated vault.

A call works at one moment between question and answer. Some answers are lost: the call then
worked, will work much later, or never. The checker must find nothing wrong in any of it.
"""

import heapq
import itertools
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from tests.history.books import Books
from tests.history.operations import FOREVER, History, Operation, Outcome
from tests.history.simulated_vault import SimulatedVault
from tests.history.tales import SECOND

MILLISECOND = SECOND // 1_000
SWEEP_NS = 400 * MILLISECOND
POOLS = ("hot", "scarce", "frozen")
Asked = tuple[str, dict[str, Any]]


class SimulatedRun:
    """One history. `run()` answers it with the books at its end."""

    def __init__(self, seed: int, *, calls: int = 300, processes: int = 8) -> None:
        self._random = Random(seed)
        self._vault = SimulatedVault()
        self._calls = calls
        self._processes = processes
        self._operations: list[Operation] = []
        self._queue: list[tuple[int, int, Callable[[int], None]]] = []
        self._numbers = itertools.count()
        # What callers know: references they used, reservations and units they were told of.
        self._asked: list[dict[str, Any]] = []
        self._told: list[str] = []
        self._units: list[str] = []
        self._frozen: list[str] = []

    def run(self) -> tuple[History, Books]:
        for pool, units in zip(POOLS, (60, 8, 12), strict=True):
            self._stock(0, pool, units)
        self._at(SWEEP_NS, self._sweep)
        for process in range(self._processes):
            self._at(SECOND + process, partial(self._next, process))
        now = 0
        while self._queue:
            now, _, act = heapq.heappop(self._queue)
            act(now)
        self._vault.expire(now + 60 * SECOND)
        return History(self._operations), self._vault.books(now + 60 * SECOND)

    def _at(self, moment: int, act: Callable[[int], None]) -> None:
        heapq.heappush(self._queue, (moment, next(self._numbers), act))

    def _sweep(self, now: int) -> None:
        self._vault.expire(now)
        if len(self._operations) < self._calls:
            self._at(now + SWEEP_NS, self._sweep)

    def _stock(self, now: int, pool: str, units: int) -> None:
        start = next(self._numbers)
        codes = [f"{pool}-{start}-{number}" for number in range(units)]
        call = self._call(0, "import", {"pool": pool, "codes": codes}, now)
        self._answer(call, self._vault.apply(call, now + 1), now + 2)

    def _next(self, process: int, now: int) -> None:
        """The process asks something new, and comes again when it has its answer."""
        if len(self._operations) >= self._calls:
            return
        op, args = self._choose()
        call = self._call(process, op, args, now)
        works = now + self._random.randint(1, 80) * MILLISECOND
        answers = works + self._random.randint(0, 80) * MILLISECOND
        lost = self._random.random() < 0.12
        if not lost:
            self._at(works, lambda at: self._work(call, at, answers))
        elif self._random.random() < 0.6:
            late = self._random.choice([0, 0, 3]) * SECOND
            self._at(works + late, lambda at: self._work(call, at, None))
        again = answers + self._random.randint(0, 60) * MILLISECOND
        self._at(again, lambda at: self._next(process, at))

    def _call(self, process: int, op: str, args: dict[str, Any], now: int) -> Operation:
        call = Operation(len(self._operations), process, op, args, now)
        self._operations.append(call)
        return call

    def _work(self, call: Operation, now: int, answers: int | None) -> None:
        result = self._vault.apply(call, now)
        if answers is not None:
            self._at(answers, lambda at: self._answer(call, result, at))

    def _answer(self, call: Operation, result: dict[str, Any], now: int) -> None:
        assert call.returned_at == FOREVER
        call.outcome = Outcome.FAIL if "error" in result else Outcome.OK
        call.returned_at, call.result = now, result
        if call.op == "reserve" and call.ok:
            self._told.append(result["reservation"])
        if call.op == "quarantine" and call.ok and "unit" in call.args:
            self._frozen.append(call.args["unit"])
        if call.op == "import":
            lot = result["lot"]
            self._units += [unit for unit in self._vault.units if unit.startswith(f"{lot}-")]

    def _choose(self) -> Asked:
        told = self._random.choice(self._told[-20:]) if self._told else None
        kinds = ["reserve"] * 6 + ["repeat"] + ["withdraw", "level", "import", "look"]
        if told:
            kinds += ["claim"] * 4 + ["release", "read", "reveal"]
        kind = self._random.choice(kinds)
        if kind in ("claim", "release", "read"):
            keyed = {"keyed": self._random.random() < 0.4} if kind == "claim" else {}
            return kind, {"reservation": told, **keyed}
        if kind in ("reveal", "look"):
            return kind, {"unit": self._random.choice(self._units)}
        return getattr(self, f"_choose_{kind}")()  # type: ignore[no-any-return]  # by name

    def _choose_reserve(self) -> Asked:
        pools = self._random.choices(POOLS, weights=(5, 3, 2), k=self._random.choice([1, 1, 2]))
        lines = [[no, pool, self._random.choice([1, 1, 2, 5])] for no, pool in enumerate(pools, 1)]
        reference = f"ref{len(self._asked)}"
        args = {
            "reference": reference,
            "lines": lines,
            "hold_seconds": self._random.choice([1, 2, 60]),
        }
        self._asked.append(args)
        return "reserve", args

    def _choose_repeat(self) -> Asked:
        if not self._asked:
            return self._choose_reserve()
        args = dict(self._random.choice(self._asked[-15:]))
        if self._random.random() < 0.1:
            args["lines"] = [[1, "hot", 7]]
        return "reserve", args

    def _choose_withdraw(self) -> Asked:
        act = self._random.choice(["quarantine", "quarantine", "restore", "restore", "void"])
        if act != "void" and self._random.random() < 0.3:
            return act, {"lot": "lot3"}
        known = self._frozen if act == "restore" and self._frozen else self._units
        return act, {"unit": self._random.choice(known)}

    def _choose_level(self) -> Asked:
        return "level", {"pool": self._random.choice(POOLS)}

    def _choose_import(self) -> Asked:
        start = next(self._numbers)
        codes = [f"more-{start}-{number}" for number in range(3)]
        return "import", {"pool": self._random.choice(POOLS), "codes": codes}
