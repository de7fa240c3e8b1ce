"""Loops that run beside the API, or as the worker, from the start of a process to its end."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from kit.logging import get_logger

log = get_logger(__name__)

STOP_SECONDS_MAX = 8.0


class LoopDied(Exception):
    """A background loop ended by an error, and so does the process."""


class Loop(Protocol):
    """Something that runs in the background until it is told to stop."""

    async def run(self) -> None: ...

    def stop(self) -> Awaitable[None] | None: ...


@asynccontextmanager
async def running_loops(loops: Sequence[Loop]) -> AsyncIterator[None]:
    """Runs each loop's `run()`; at the end `stop()`s them and waits for their last round.

    A loop that dies sends this process SIGTERM; the end of the block then raises LoopDied.
    """
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    for task in tasks:
        task.add_done_callback(_exit_when_crashed)
    try:
        yield
    finally:
        for loop in loops:
            stopped = loop.stop()
            if stopped is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS_MAX):
                        await stopped
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS_MAX)
            for task in late:
                task.cancel()
    if any(_has_died(task) for task in tasks):
        raise LoopDied


def _has_died(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


def _exit_when_crashed(task: asyncio.Task[None]) -> None:
    """A loop that dies must not leave a process that looks alive: the supervisor starts it anew."""
    if _has_died(task):
        log.critical("loop_died", exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)
