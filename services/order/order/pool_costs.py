"""What the units of pools cost now, as the vault says it."""

import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from urllib.parse import urlencode
from uuid import UUID

from kit.errors import Unavailable
from kit.money import Money
from kit.peers import Peer, PeerProblem

KEPT_SECONDS = 60.0
"""How old an answer may be: a dearer lot is felt a minute after it came, at the latest."""
POOLS_KEPT_MAX = 10_000
_ASKED_MAX = 100

Costs = dict[UUID, Money | None]


class PoolCosts:
    """Asks the vault at most once a minute and pool. Never to be used inside a transaction."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._kept: OrderedDict[tuple[UUID, UUID], tuple[float, Money | None]] = OrderedDict()

    async def of_many(self, merchant_id: UUID, pool_ids: Collection[UUID]) -> Costs:
        """The dearest lot that still has units for sale: whichever is handed out, it costs no more.

        Of the newest 100 lots. None for a pool without any, or with lots of several currencies.
        One call for a hundred pools that are not known. Raises Unavailable when the vault does not
        answer.
        """
        pools = list(dict.fromkeys(pool_ids))
        found = {pool_id: kept for pool_id in pools if (kept := self._known(merchant_id, pool_id))}
        missing = [pool_id for pool_id in pools if pool_id not in found]
        costs: Costs = {pool_id: kept[1] for pool_id, kept in found.items()}
        for start in range(0, len(missing), _ASKED_MAX):
            costs |= await self._ask(merchant_id, missing[start : start + _ASKED_MAX])
        return costs

    def _known(self, merchant_id: UUID, pool_id: UUID) -> tuple[float, Money | None] | None:
        # By merchant, too: to others than its owner the vault says that there is no such pool.
        kept = self._kept.get((merchant_id, pool_id))
        is_fresh = kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS
        return kept if is_fresh else None

    async def _ask(self, merchant_id: UUID, pool_ids: Sequence[UUID]) -> Costs:
        query = urlencode([("pool_id", str(pool_id)) for pool_id in pool_ids])
        try:
            answer = await self._peer.get(f"/v1/pools/costs?{query}", merchant_id=merchant_id)
        except PeerProblem as error:
            raise Unavailable(f"the vault refused to say what pools cost: {error.code}") from error
        told = {
            UUID(item["pool_id"]): [
                Money(cost["amount"], cost["currency"]) for cost in item["unit_costs"]
            ]
            for item in answer["items"]
        }
        costs = {it: _only(told.get(it, ())) for it in pool_ids}
        for pool_id, cost in costs.items():
            self._kept[merchant_id, pool_id] = (time.monotonic(), cost)
            self._kept.move_to_end((merchant_id, pool_id))
        while len(self._kept) > POOLS_KEPT_MAX:
            self._kept.popitem(last=False)
        return costs


def _only(costs: Sequence[Money]) -> Money | None:
    return costs[0] if len(costs) == 1 else None
