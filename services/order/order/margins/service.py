"""Checks the margin floor of orders and quotes."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.money import Money
from order.catalogue.domain import PoolFulfillment, Product
from order.margins.domain import Shortfall, shortfalls, stated_costs, with_bundles
from order.merchants.domain import Channel
from order.pool_costs import PoolCosts
from order.prices.domain import PriceBasis, Priced


class MarginService:
    """Built in app.py. Pools are asked for only where a floor rule is active."""

    def __init__(self, costs: PoolCosts) -> None:
        self._costs = costs

    async def shortfalls(
        self,
        merchant_id: UUID,
        channel: Channel,
        products: Mapping[str, Product],
        asked: PriceBasis,
        priced: Priced,
    ) -> Sequence[Shortfall]:
        """Lines that would bring less than they must. Not for use inside a transaction.

        Raises Unavailable when a pool's cost is needed and the vault does not answer.
        """
        costs = stated_costs(products)
        if asked.floors:
            costs |= await self._pool_costs(merchant_id, products, set(costs))
        if not costs:
            return ()
        return shortfalls(
            priced.lines, with_bundles(products, costs), asked.floors, asked.facts, channel
        )

    async def _pool_costs(
        self, merchant_id: UUID, products: Mapping[str, Product], known: set[str]
    ) -> dict[str, Money]:
        pools = {
            sku: product.fulfillment.pool_id
            for sku, product in products.items()
            if sku not in known and isinstance(product.fulfillment, PoolFulfillment)
        }
        costs = await self._costs.of_many(merchant_id, list(pools.values()))
        found = {sku: costs[pool_id] for sku, pool_id in pools.items()}
        return {sku: cost for sku, cost in found.items() if cost is not None}
