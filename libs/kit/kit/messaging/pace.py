"""Rests of loops that take what waits: under load batches grow instead of their number.

A busy loop rests as long as its work took, so that what comes meanwhile shares the next round; a
loop with little to do goes on at once, so that nobody waits.
"""

import math
import time

OVER_SECONDS = 0.5


class Pace:
    """Busy: more than `busy_per_second` items, counted over about the last half second."""

    def __init__(self, *, busy_per_second: float, rest_seconds_max: float) -> None:
        self._busy_per_second = busy_per_second
        self._rest_seconds_max = rest_seconds_max
        self._per_second = 0.0
        self._noted_at = time.monotonic()

    def rest_after(self, items: int, started: float) -> float:
        """How long to rest after a round of so many items that began then; seconds."""
        now = time.monotonic()
        faded = math.exp((self._noted_at - now) / OVER_SECONDS)
        self._per_second = self._per_second * faded + items / OVER_SECONDS
        self._noted_at = now
        if self._per_second < self._busy_per_second:
            return 0.0
        return min(now - started, self._rest_seconds_max)
