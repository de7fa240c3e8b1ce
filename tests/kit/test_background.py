"""A process whose loop died ends, and its end says that something went wrong."""

import asyncio
import signal

import pytest

from kit.background import LoopDied, running_loops


class _Loop:
    def __init__(self, *, dies: bool) -> None:
        self._dies = dies
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        if self._dies:
            raise ValueError("a bug")
        await self._stopping.wait()

    def stop(self) -> None:
        self._stopping.set()


async def test_a_loop_that_dies_ends_the_process_with_an_error(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", asked.append)

    with pytest.raises(LoopDied):
        async with running_loops([_Loop(dies=False), _Loop(dies=True)]):
            await asyncio.sleep(0.05)

    assert asked == [signal.SIGTERM]


async def test_loops_that_were_stopped_are_no_error():
    async with running_loops([_Loop(dies=False), _Loop(dies=False)]):
        await asyncio.sleep(0)
