"""How many wrong links, keys or the like one address may show before it has to wait.

Counted in this process, without a query. It keeps the noise of guessing down, and no more: who asks
for it lets what is right through, from wherever it comes, because many callers share one address.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from kit.addresses import Address, home_of

ADDRESSES_MAX = 10_000
"""Remembered at once, about 200 bytes each; the one that was quiet longest is forgotten first."""
_ROUNDING_SECONDS = 1e-6


class Misses:
    """`burst` misses at once, then one per `every` (GCRA), for each address."""

    def __init__(
        self, burst: int, every: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every = every.total_seconds()
        self._room = burst * self._every + _ROUNDING_SECONDS
        self._clock = clock
        self._paid_until: OrderedDict[str, float] = OrderedDict()

    def take(self, address: Address | None) -> int:
        """Takes a miss off the allowance and answers 0; when it is used up, answers the seconds to
        wait.
        """
        key, now = home_of(address), self._clock()
        paid_until = max(self._paid_until.get(key, now), now) + self._every
        if paid_until > now + self._room:
            return max(1, round(paid_until - now - self._room))
        self._paid_until[key] = paid_until
        self._paid_until.move_to_end(key)
        if len(self._paid_until) > ADDRESSES_MAX:
            self._paid_until.popitem(last=False)
        return 0

    def give_back(self, address: Address | None) -> None:
        """What was taken was no miss."""
        key = home_of(address)
        if key in self._paid_until:
            self._paid_until[key] -= self._every
