"""One stock, several channels: what each may take of it.

A guarantee sets units aside for a channel; what the channel takes, held or sold, uses it up, what
it gives back refills it. Of what is available, a channel may take what is left of its own
guarantee, and beyond it what neither the other channels' guarantees nor the buffer need:

    max(min(own, available), available - others - buffer)

So a guaranteed channel is never refused within its guarantee while there is stock, the rest goes
first come, and the buffer is sold to guaranteed channels only, within their guarantees.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Guarantee:
    channel_id: UUID
    guaranteed: int
    # Units that the channel took since the guarantee was set, less those it gave back.
    taken: int = 0

    @property
    def left(self) -> int:
        return max(0, self.guaranteed - self.taken)


@dataclass(frozen=True, slots=True)
class Quota:
    """How one pool's stock is shared out."""

    buffer: int
    guarantees: Sequence[Guarantee] = ()


@dataclass(slots=True)
class QuotaBook:
    """The quotas of some locked pools, counted up while a batch of wishes is planned."""

    buffers: Mapping[UUID, int] = field(default_factory=dict)
    left: dict[UUID, dict[UUID, int]] = field(default_factory=dict)

    def allowed(self, pool_id: UUID, channel_id: UUID | None, available: int) -> int | None:
        """Units that a channel may take of a pool now; None when the pool has no quota."""
        if pool_id not in self.buffers:
            return None
        lefts = self.left.get(pool_id, {})
        own = lefts.get(channel_id, 0) if channel_id is not None else 0
        shared = available - (sum(lefts.values()) - own) - self.buffers[pool_id]
        return max(min(own, available), shared, 0)

    def count(self, channel_id: UUID | None, units: Iterable[tuple[UUID, int]]) -> None:
        """Units (pool, count) of a planned wish."""
        for pool_id, count in units:
            lefts = self.left.get(pool_id, {})
            if channel_id in lefts:
                lefts[channel_id] = max(0, lefts[channel_id] - count)

    def uses(
        self, channel_id: UUID | None, lines: Iterable[tuple[UUID, int]]
    ) -> list[tuple[UUID, int]]:
        """What of these lines counts against a guarantee: (pool, units), each pool once."""
        found: Counter[UUID] = Counter()
        for pool_id, quantity in lines:
            if channel_id is not None and channel_id in self.left.get(pool_id, {}):
                found[pool_id] += quantity
        return list(found.items())


NO_QUOTAS = QuotaBook()
