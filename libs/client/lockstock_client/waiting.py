"""Waiting for something that happens elsewhere."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lockstock_client.problems import NoAnswer

PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 1.0
T = TypeVar("T")


async def until(
    read: Callable[[], Awaitable[T]],
    done: Callable[[T], bool],
    *,
    seconds_max: float,
    late: Callable[[T], str],
    pause: Callable[[float], Awaitable[None]],
) -> T:
    """Reads, with growing pauses, until `done`; raises NoAnswer (worded by `late`) when it is not
    in time. `pause` waits as the client does.
    """
    deadline = time.monotonic() + seconds_max
    seconds = PAUSE_SECONDS
    while True:
        found = await read()
        if done(found):
            return found
        if time.monotonic() + seconds > deadline:
            raise NoAnswer(late(found))
        await pause(seconds)
        seconds = min(seconds * 1.2, PAUSE_SECONDS_MAX)
