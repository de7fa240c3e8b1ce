"""How long the stock lasts at the pace at which it was sold lately."""

from dataclasses import dataclass
from uuid import UUID

RECOVERED = 1.2
"""A pool is low until its cover is a fifth above its limit: no message at every flutter."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`sold_per_day`: over up to seven days; None while there is less than an hour to look at."""

    pool_id: UUID
    sold_per_day: float | None
    is_low: bool = False

    def cover_days(self, available: int) -> float | None:
        """None: not known, or nothing is sold and the stock lasts for ever."""
        if not self.sold_per_day:
            return None
        return available / self.sold_per_day


def is_low_now(cover_days: float | None, low_cover_days: int | None, *, was_low: bool) -> bool:
    """Whether a pool's cover is low, given whether it was."""
    if low_cover_days is None or cover_days is None:
        return False
    limit = low_cover_days * RECOVERED if was_low else low_cover_days
    return cover_days < limit
