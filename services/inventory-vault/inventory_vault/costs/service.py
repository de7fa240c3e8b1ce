from collections.abc import Sequence
from uuid import UUID

from inventory_vault.costs import repository
from kit.db import Transaction
from kit.money import Money

LOTS_MAX = 100


async def dearest(
    tx: Transaction, merchant_id: UUID, pool_ids: Sequence[UUID]
) -> dict[UUID, list[Money]]:
    """What a unit of each pool costs at most, in each currency, of the newest 100 lots with units
    for sale; none for a pool without any and for one that is not the merchant's. One statement.
    """
    costs: dict[UUID, list[Money]] = {pool_id: [] for pool_id in pool_ids}
    for pool_id, cost in await repository.dearest(tx, merchant_id, list(costs), LOTS_MAX):
        costs[pool_id].append(cost)
    return costs
