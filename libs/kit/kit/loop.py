"""The event loop of every process: uvloop, started here because asyncio.run would not."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
R = TypeVar("R")


def run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def calm_collector() -> None:
    """Call once everything is built: takes what was loaded so far out of the garbage collector's
    rounds: every request would wait while a full round looks at all modules of a service.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def meanwhile(asked: Coroutine[Any, Any, T], work: Callable[[], R]) -> tuple[T, R]:
    """Does `work` while the first thing that `asked` waits for is under way: what was written to a
    socket is on its way before. Raises what either raises, once both are at their end.
    """
    task = asyncio.ensure_future(asked)
    try:
        # It runs up to where it waits; then the loop sends what it wrote.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        done = work()
    except BaseException:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    return await task, done
