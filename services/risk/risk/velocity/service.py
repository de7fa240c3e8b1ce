from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from risk.velocity.domain import COUNT_MAX, WINDOWS, KeyKind, Purchase, Velocity, VelocityKey
from risk.velocity.repository import Counted, VelocityRepository


class VelocityService:
    """Counts purchases as if they came one by one, however they are batched."""

    def __init__(self, repository: VelocityRepository) -> None:
        self._repository = repository

    async def record(
        self, tx: Transaction, purchases: Sequence[Purchase]
    ) -> list[tuple[Purchase, Velocity]]:
        """Records the purchases not seen before, in the order given, and counts for each of them.

        A count covers what was recorded up to that purchase, less than the window away from it.
        Purchases known already are left out: a repeat changes nothing.
        """
        first: dict[UUID, Purchase] = {}
        for it in purchases:
            first.setdefault(it.id, it)
        fresh_ids = await self._repository.add_purchases(tx, list(first.values()))
        fresh = [it for it in first.values() if it.id in fresh_ids]
        totals = await self._repository.lock_keys(tx, fresh)
        counted = await self._repository.add_events(tx, fresh)
        counts = await self._repository.count(tx, counted)
        earlier = _earlier_purchases(fresh, totals)
        return [
            (it, Velocity(_counts_of(it, counts), earlier_purchases))
            for it, earlier_purchases in zip(fresh, earlier, strict=True)
        ]

    async def peek(self, tx: Transaction, purchase: Purchase) -> Velocity:
        """What `record` would count for this purchase now, without recording it."""
        keys = purchase.velocity_keys()
        past = await self._repository.count(tx, [Counted(purchase, key) for key in keys])
        totals = await self._repository.find_totals(tx, keys)
        counts = {
            (key.kind, window): min(past[purchase.id, key.kind, window] + 1, COUNT_MAX)
            for key in keys
            for window in WINDOWS
        }
        earlier = sum(total for key, total in totals.items() if key.kind is KeyKind.CUSTOMER)
        return Velocity(counts, earlier)


def _counts_of(
    purchase: Purchase, counts: Mapping[tuple[UUID, KeyKind, str], int]
) -> dict[tuple[KeyKind, str], int]:
    return {
        (key.kind, window): counts[purchase.id, key.kind, window]
        for key in purchase.velocity_keys()
        for window in WINDOWS
    }


def _earlier_purchases(
    purchases: Sequence[Purchase], totals: Mapping[VelocityKey, int]
) -> list[int]:
    """The totals count the whole batch already: walk it backwards, taking one off for each."""
    remaining = dict(totals)
    earlier = []
    for purchase in reversed(purchases):
        before = 0
        for key in purchase.velocity_keys():
            remaining[key] -= 1
            if key.kind is KeyKind.CUSTOMER:
                before = remaining[key]
        earlier.append(before)
    return earlier[::-1]
