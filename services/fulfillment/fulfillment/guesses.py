"""How many wrong links one address may try before it has to wait.

A link cannot be guessed (128 bits of signature), so this only keeps the noise down; it is counted
in this process and costs no query. A right link always works, from wherever it is opened: many
buyers may share one address.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from kit.addresses import Address, home_of
from kit.errors import Limited

ADDRESSES_MAX = 10_000
"""Remembered at once; the one that was quiet longest is forgotten first."""


class TooManyGuesses(Limited):
    """Too many wrong links were tried from this address; wait as Retry-After says."""

    code = "too_many_wrong_links"


class Guesses:
    """`burst` wrong links at once, then one per `every` (GCRA)."""

    def __init__(
        self, burst: int, every: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every = every.total_seconds()
        self._room = burst * self._every
        self._clock = clock
        self._paid_until: OrderedDict[str, float] = OrderedDict()

    def miss(self, address: Address | None) -> None:
        """Notes a wrong link. Raises TooManyGuesses when the address has used up its allowance."""
        key, now = home_of(address), self._clock()
        paid_until = max(self._paid_until.get(key, now), now) + self._every
        if paid_until > now + self._room:
            raise TooManyGuesses(retry_after_seconds=max(1, round(paid_until - now - self._room)))
        self._paid_until[key] = paid_until
        self._paid_until.move_to_end(key)
        if len(self._paid_until) > ADDRESSES_MAX:
            self._paid_until.popitem(last=False)
