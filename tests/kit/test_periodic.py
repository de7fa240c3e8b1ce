"""Background loops and their wake-ups."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from kit.periodic import Periodic

FAR_SECONDS = 3_600.0


class _Rounds:
    """Counts the rounds of a loop."""

    def __init__(self) -> None:
        self.number = 0
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        async with self._changed:
            self.number += 1
            self._changed.notify_all()

    async def reach(self, number: int) -> None:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self.number >= number)


@asynccontextmanager
async def _running(rounds: _Rounds) -> AsyncIterator[Periodic]:
    """After its first round; without a wake-up there is no second one."""
    periodic = Periodic("test", FAR_SECONDS, rounds.run)
    task = asyncio.create_task(periodic.run())
    try:
        await rounds.reach(1)
        yield periodic
    finally:
        periodic.stop()
        await task


@pytest.mark.parametrize(
    "wake",
    [lambda it: it.wake(), lambda it: it.wake(0.01)],
    ids=["at once", "patiently"],
)
async def test_a_wake_up_starts_a_round(wake: Callable[[Periodic], None]) -> None:
    rounds = _Rounds()
    async with _running(rounds) as periodic:
        for number in range(2, 5):
            wake(periodic)
            await rounds.reach(number)


async def test_patient_wake_ups_share_a_round() -> None:
    rounds = _Rounds()
    async with _running(rounds) as periodic:
        for _ in range(10):
            periodic.wake(0.05)
        await rounds.reach(2)
        await asyncio.sleep(0.2)
    assert rounds.number == 2


async def test_who_cannot_wait_does_not_wait_for_the_patient() -> None:
    rounds = _Rounds()
    async with _running(rounds) as periodic:
        periodic.wake(FAR_SECONDS)
        periodic.wake()
        await rounds.reach(2)
