"""Watching processes that are not our children."""

import asyncio

from onebox.processes import is_alive


async def gone(pid: int, seconds_max: float = 5.0) -> bool:
    """Whether the process ends in time (a zombie has ended)."""
    try:
        async with asyncio.timeout(seconds_max):
            while is_alive(pid):  # noqa: ASYNC110 - another process's end, there is no event
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True
