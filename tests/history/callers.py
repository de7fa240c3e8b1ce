"""What the callers of a run do: buy, race, repeat, come late, look, freeze, restock."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.history.operations import Operation
from tests.history.recorder import Recorder
from tests.history.shop import Shop

BATCH = 24
FROZEN_AT_ONCE = 3
HOLD_LONG_SECONDS = 900
REPEATS_MAX = 6
FORGOTTEN = 0.2
"""Share of the short holds that nobody asks about again: only the sweeper ends them."""

SHORT_HOLDS_UNTIL = 0.75
"""Share of the run after which no more short holds are made: they must end within it."""

LATE_SECONDS_MAX = 20.0


@dataclass(slots=True)
class Market:
    """What the callers share: the pools, and what they were told."""

    operations: int
    short_hold_seconds: int
    new_codes: Callable[[int], list[str]]
    is_over: Callable[[], bool] = lambda: False
    hot: list[str] = field(default_factory=list)
    scarce: list[str] = field(default_factory=list)
    frozen: list[str] = field(default_factory=list)
    frozen_lots: list[str] = field(default_factory=list)
    frozen_units: list[str] = field(default_factory=list)
    left_frozen: list[str] = field(default_factory=list)
    sold: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    # (when, number, reservation) of short holds that somebody looks after.
    due: list[tuple[float, int, str]] = field(default_factory=list)
    numbers: Any = field(default_factory=itertools.count)

    def later(self, seconds: float, reservation: str) -> None:
        moment = time.monotonic() + seconds
        heapq.heappush(self.due, (moment, next(self.numbers), reservation))

    def take_due(self, limit: int) -> list[str]:
        found: list[str] = []
        while self.due and len(found) < limit and self.due[0][0] <= time.monotonic():
            found.append(heapq.heappop(self.due)[2])
        return found


class Caller:
    """One of many at once; goes on until the market is over."""

    def __init__(self, shop: Shop, market: Market, recorder: Recorder, random: Random) -> None:
        self._shop = shop
        self._market = market
        self._recorder = recorder
        self._random = random

    async def run(self) -> None:
        acts: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
            (30, self._buy),
            (3, self._buy_twice_at_once),
            (4, self._repeat),
            (6, self._view),
            (5, self._look_around),
            (4, self._freeze),
            (1, self._restock),
        ]
        weights, choices = zip(*acts, strict=True)
        while not self._market.is_over():
            await self._see_to_due()
            [act] = self._random.choices(choices, weights)
            await act()

    async def finish(self) -> None:
        """Sees the short holds to their end."""
        deadline = time.monotonic() + LATE_SECONDS_MAX
        while self._market.due and time.monotonic() < deadline:
            await self._see_to_due()
            await asyncio.sleep(0.1)

    async def _buy(self) -> None:
        wishes = [self._wish() for _ in range(BATCH)]
        await self._go_on(await self._surely(wishes))

    async def _buy_twice_at_once(self) -> None:
        """The same references by two calls at the same time, likely at different APIs."""
        wishes = [self._wish() for _ in range(BATCH // 3)]
        calls, _ = await asyncio.gather(self._surely(wishes), self._shop.reserve(wishes))
        await self._go_on(calls)

    async def _repeat(self) -> None:
        """Asks again what was asked before, whatever became of it; sometimes with other lines."""
        if not self._market.asked:
            return
        wishes = self._random.choices(self._market.asked[-400:], k=BATCH // 3)
        if self._random.random() < 0.2:
            wishes[0] = {**wishes[0], "lines": [[1, self._market.hot[0], 9]]}
        await self._shop.reserve(wishes)

    async def _surely(self, wishes: list[dict[str, Any]]) -> list[Operation]:
        """Mostly repeats what was left unknown, by the same references; sometimes lets it be."""
        calls = await self._shop.reserve(wishes)
        for _ in range(REPEATS_MAX):
            if all(call.ok or call.failed for call in calls) or self._random.random() < 0.2:
                break
            calls = await self._shop.reserve(wishes)
        return calls

    def _wish(self) -> dict[str, Any]:
        market, random = self._market, self._random
        pools = random.choices(
            [*market.hot, *market.scarce, *market.frozen],
            [6.0] * len(market.hot) + [1.0] * len(market.scarce) + [2.0] * len(market.frozen),
            k=random.choice((1, 1, 1, 2, 3)),
        )
        is_short = random.random() < 0.12 and (
            self._recorder.definite < SHORT_HOLDS_UNTIL * market.operations
        )
        wish = {
            "reference": f"ref-{next(market.numbers)}",
            "lines": [[no, pool, random.choice((1, 1, 2, 4))] for no, pool in enumerate(pools, 1)],
            "hold_seconds": market.short_hold_seconds if is_short else HOLD_LONG_SECONDS,
        }
        market.asked.append(wish)
        return wish

    async def _go_on(self, calls: list[Operation]) -> None:
        """Most holds are claimed, some given back, some raced for; short ones are left alone."""
        buying: list[str] = []
        for call in calls:
            if not call.ok or call.result["status"] != "held":
                continue
            reservation = call.result["reservation"]
            fate = self._random.random()
            if call.args["hold_seconds"] == self._market.short_hold_seconds:
                self._leave(reservation, fate)
            elif fate < 0.70:
                buying.append(reservation)
            elif fate < 0.76:
                await self._shop.release(reservation)
            elif fate < 0.80:
                await asyncio.gather(self._claim([reservation]), self._shop.release(reservation))
        if buying:
            await self._claim(buying)

    def _leave(self, reservation: str, fate: float) -> None:
        """Somebody comes back about the time the hold runs out, or nobody does."""
        if fate >= FORGOTTEN:
            self._market.later(self._market.short_hold_seconds + fate * 1.5 - 0.5, reservation)

    async def _claim(self, reservations: list[str]) -> None:
        """Until it is known what became of each."""
        left = reservations
        for _ in range(REPEATS_MAX):
            calls = await self._shop.claim(left, keyed=self._random.random() < 0.25)
            self._market.sold += [unit for c in calls if c.ok for unit, _ in c.result["units"]]
            left = [c.args["reservation"] for c in calls if not (c.ok or c.failed)]
            if not left:
                break
            await asyncio.sleep(0.1)
        if self._random.random() < 0.05:
            await self._shop.claim(reservations, keyed=False)

    async def _see_to_due(self) -> None:
        """Short holds at their end: some are claimed at the last moment or later, some only read
        until their units are back.
        """
        due = self._market.take_due(BATCH)
        if not due:
            return
        late = [reservation for reservation in due if self._random.random() < 0.4]
        if late:
            await self._claim(late)
        for reservation in set(due) - set(late):
            call = await self._shop.read(reservation)
            if not call.ok or call.result["status"] == "held":
                self._market.later(0.4, reservation)
            elif self._random.random() < 0.3:
                await self._claim([reservation])

    async def _view(self) -> None:
        for _ in range(3):
            units = self._market.sold or self._market.frozen_units
            await self._shop.reveal(self._random.choice(units[-500:]))
        await self._shop.reveal(self._random.choice(self._market.frozen_units))

    async def _look_around(self) -> None:
        market = self._market
        for units in (market.sold[-500:] or market.frozen_units, market.frozen_units):
            await self._shop.look(self._random.choice(units))
        pools = (*market.hot, *market.scarce, *market.frozen)
        await self._shop.level(self._random.choice(pools))

    async def _freeze(self) -> None:
        """Units of the frozen pools go off the shelf, some for long; now and then a whole lot."""
        market, random = self._market, self._random
        if random.random() < 0.1:
            lot = random.choice(market.frozen_lots)
            await self._shop.withdraw("quarantine", "lot", lot)
            await self._restore("lot", lot)
        for unit in random.sample(market.frozen_units, FROZEN_AT_ONCE):
            call = await self._shop.withdraw("quarantine", "unit", unit)
            fate = random.random()
            if fate < 0.1:
                await self._shop.withdraw("void", "unit", unit)
            elif fate < 0.5 and not call.failed:
                await self._restore("unit", unit)
            elif call.ok:
                market.left_frozen.append(unit)
        if market.left_frozen and random.random() < 0.5:
            await self._restore("unit", random.choice(market.left_frozen))

    async def _restore(self, kind: str, id_: str) -> None:
        for _ in range(REPEATS_MAX):
            call = await self._shop.withdraw("restore", kind, id_)
            if call.ok or call.failed:
                return

    async def _restock(self) -> None:
        pool = self._random.choice(self._market.scarce)
        await self._shop.stock(pool, self._market.new_codes(self._random.choice((5, 10, 40))))
