"""Rests of loops that take what waits: under load batches grow instead of their number.

A busy loop rests a moment after each round, so that what comes meanwhile shares the next one; a
loop with little to do goes on at once, so that nobody waits. So does one whose round was full: more
waits already, and rounds cannot grow.
"""

import math
import time

OVER_SECONDS = 0.5


class Pace:
    """Busy: more than `busy_per_second` items, counted over about the last half second."""

    def __init__(self, *, busy_per_second: float, rest_seconds: float) -> None:
        self._busy_per_second = busy_per_second
        self._rest_seconds = rest_seconds
        self._per_second = 0.0
        self._noted_at = time.monotonic()

    def rest_after(self, items: int, *, was_full: bool = False) -> float:
        """How long to rest after a round of so many items; seconds. `was_full`: it held as many as
        a round may.
        """
        now = time.monotonic()
        faded = math.exp((self._noted_at - now) / OVER_SECONDS)
        self._per_second = self._per_second * faded + items / OVER_SECONDS
        self._noted_at = now
        is_busy = self._per_second > self._busy_per_second
        return self._rest_seconds if is_busy and not was_full else 0.0
