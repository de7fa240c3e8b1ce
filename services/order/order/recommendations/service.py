from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from order.catalogue import service as catalogue
from order.orders import service as orders
from order.recommendations import repository
from order.recommendations.domain import Completed, Recommendation, Rule


async def count(tx: Transaction, completed: Sequence[Completed]) -> None:
    """Adds orders to their days' pairs; that each is added once is the inbox's work."""
    await repository.count_pairs(tx, completed)


async def list_for_product(
    tx: Transaction, merchant_id: UUID, product_id: UUID, rule: Rule, limit: int
) -> Sequence[Recommendation]:
    """The most often bought together first. Raises ProductNotFound."""
    await catalogue.get_product(tx, merchant_id, product_id)
    return await repository.list_for(tx, merchant_id, [product_id], rule, limit)


async def list_for_order(
    tx: Transaction, merchant_id: UUID, order_id: UUID, rule: Rule, limit: int
) -> Sequence[Recommendation]:
    """For all of its products together; none that it has already. Raises OrderNotFound."""
    await orders.get_view(tx, merchant_id, order_id)
    products = await repository.products_of(tx, order_id)
    return await repository.list_for(tx, merchant_id, products, rule, limit)


async def prune(tx: Transaction, window_days: int, limit: int) -> int:
    """Forgets days that no window reaches."""
    return await repository.prune(tx, window_days, limit)
