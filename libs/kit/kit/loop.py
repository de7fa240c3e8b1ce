"""The event loop of every process: uvloop, started here because asyncio.run would not."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


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
