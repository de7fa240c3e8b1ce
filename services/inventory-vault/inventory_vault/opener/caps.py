"""How much may be opened that is not freshly sold: what stops somebody with a stolen credential.

A fresh sale has to be handed out whatever its size, so the openings of units sold within the last
hour are free, three of each. Everything else draws on an allowance per merchant and hour, and on
one of all merchants per minute.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from inventory_vault.opener.repository import Opening, PastOpenings

HOUR_SECONDS = 3_600
MINUTE_SECONDS = 60
SLOTS = 60
MERCHANTS_KEPT_MAX = 100_000

Clock = Callable[[], float]


class Allowance:
    """At most `limit` within any window, kept in 60 slots: whole slots leave it."""

    def __init__(self, limit: int, window_seconds: int) -> None:
        self._limit = limit
        self._slot_seconds = window_seconds / SLOTS
        self._slots: deque[tuple[int, int]] = deque()
        self._used = 0

    def note(self, count: int, now: float) -> None:
        """What was drawn, whether or not there was room for it."""
        self._used += count
        slot = int(now / self._slot_seconds)
        if self._slots and self._slots[-1][0] == slot:
            count += self._slots.pop()[1]
        self._slots.append((slot, count))

    def has_room(self, count: int, now: float) -> bool:
        oldest = int(now / self._slot_seconds) - SLOTS
        while self._slots and self._slots[0][0] <= oldest:
            self._used -= self._slots.popleft()[1]
        return self._used + count <= self._limit

    def retry_after_seconds(self, now: float) -> int:
        """When the oldest slot leaves the window."""
        if not self._slots:
            return int(self._slot_seconds * SLOTS)
        leaves_at = (self._slots[0][0] + SLOTS + 1) * self._slot_seconds
        return max(1, int(leaves_at - now) + 1)


@dataclass(frozen=True, slots=True)
class Capped:
    """A log row that was refused, whole: its units are not opened."""

    log_id: UUID
    merchant_id: UUID
    units: Sequence[UUID]
    scope: str
    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class Admission:
    allowed: list[Opening]
    capped: list[Capped]


class Caps:
    """The allowances of a process. `seed` fills them with what the logs say of the last hour, so
    that a restart gives nobody a new one.
    """

    def __init__(
        self,
        *,
        per_merchant_hour: int = 1_000,
        per_minute: int = 5_000,
        clock: Clock = time.monotonic,
    ) -> None:
        self._per_merchant_hour = per_merchant_hour
        self._clock = clock
        self._merchants: OrderedDict[UUID, Allowance] = OrderedDict()
        self._everybody = Allowance(per_minute, MINUTE_SECONDS)

    def seed(self, past: Iterable[PastOpenings]) -> None:
        """The oldest first."""
        now = self._clock()
        for each in past:
            # Refused attempts are in the logs too: more than the allowance tells nothing more.
            units = min(each.units, self._per_merchant_hour)
            self._of(each.merchant_id).note(units, now - each.minutes_ago * MINUTE_SECONDS)

    def admit(self, openings: Sequence[Opening]) -> Admission:
        """Which of these may be opened now; `openings` in the order of their log rows."""
        admission = Admission([], [])
        for log_id, group in groupby(openings, key=lambda opening: opening.log_id):
            units = list(group)
            drawn = sum(not unit.is_free for unit in units)
            refused = self._draw(units[0].merchant_id, drawn) if drawn else None
            if refused is None:
                admission.allowed.extend(units)
                continue
            scope, seconds = refused
            named = [unit.unit_id for unit in units]
            admission.capped.append(Capped(log_id, units[0].merchant_id, named, scope, seconds))
        return admission

    def _draw(self, merchant_id: UUID, count: int) -> tuple[str, int] | None:
        """None when there is room; what is refused draws nothing."""
        now = self._clock()
        own = self._of(merchant_id)
        if not own.has_room(count, now):
            return "merchant", own.retry_after_seconds(now)
        if not self._everybody.has_room(count, now):
            return "everybody", self._everybody.retry_after_seconds(now)
        own.note(count, now)
        self._everybody.note(count, now)
        return None

    def _of(self, merchant_id: UUID) -> Allowance:
        found = self._merchants.get(merchant_id)
        if found is None:
            found = self._merchants[merchant_id] = Allowance(self._per_merchant_hour, HOUR_SECONDS)
            if len(self._merchants) > MERCHANTS_KEPT_MAX:
                self._merchants.popitem(last=False)
        self._merchants.move_to_end(merchant_id)
        return found
