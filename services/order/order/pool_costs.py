"""What the units of a pool cost now, as the vault's read of the pool says it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection
from uuid import UUID

from kit.errors import Unavailable
from kit.money import Money
from kit.peers import Peer, PeerProblem

KEPT_SECONDS = 60.0
"""How old an answer may be: a dearer lot is felt a minute after it came, at the latest."""
POOLS_KEPT_MAX = 10_000


class PoolCosts:
    """Asks the vault at most once a minute and pool. Never to be used inside a transaction."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._kept: OrderedDict[tuple[UUID, UUID], tuple[float, Money | None]] = OrderedDict()

    async def of_many(
        self, merchant_id: UUID, pool_ids: Collection[UUID]
    ) -> dict[UUID, Money | None]:
        """As `of`, all that are not known at once: as slow as the slowest of them."""
        pools = list(dict.fromkeys(pool_ids))
        costs = await asyncio.gather(*(self.of(merchant_id, pool_id) for pool_id in pools))
        return dict(zip(pools, costs, strict=True))

    async def of(self, merchant_id: UUID, pool_id: UUID) -> Money | None:
        """The dearest lot that still has units for sale: whichever is handed out, it costs no more.

        Of the newest 100 lots. None for a pool without any, or with lots of several currencies.
        Raises Unavailable when the vault does not answer.
        """
        # By merchant, too: to others than its owner the vault says that there is no such pool.
        key = merchant_id, pool_id
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS:
            return kept[1]
        cost = await self._ask(merchant_id, pool_id)
        self._kept[key] = (time.monotonic(), cost)
        self._kept.move_to_end(key)
        if len(self._kept) > POOLS_KEPT_MAX:
            self._kept.popitem(last=False)
        return cost

    async def _ask(self, merchant_id: UUID, pool_id: UUID) -> Money | None:
        try:
            pool = await self._peer.get(f"/v1/pools/{pool_id}", merchant_id=merchant_id)
        except PeerProblem as error:
            if error.status == 404:
                return None
            raise Unavailable(
                f"the vault refused to say what a pool costs: {error.code}"
            ) from error
        costs = [
            Money(lot["unit_cost"]["amount"], lot["unit_cost"]["currency"])
            for lot in pool["lots"]
            if lot["levels"]["available"] > 0
        ]
        if len({cost.currency for cost in costs}) != 1:
            return None
        return max(costs, key=lambda cost: cost.amount_minor)
