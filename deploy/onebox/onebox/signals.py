"""Ctrl-C, `make stop` and a closed terminal: an orderly end, and a hard one for the impatient."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable


async def until_signal(serve: Callable[[], Awaitable[None]], hard: Callable[[], None]) -> None:
    """First signal: stop in order. Second: SIGKILL to every part."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(serve())
    received: list[int] = []

    def on_signal(signum: int) -> None:
        received.append(signum)
        if len(received) == 1:
            task.cancel()
        else:
            hard()

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(signum, on_signal, signum)
    with contextlib.suppress(asyncio.CancelledError):
        await task
