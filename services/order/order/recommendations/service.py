from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from order.catalogue import service as catalogue
from order.orders.domain import Order
from order.recommendations import repository
from order.recommendations.domain import Completed, Recommendation, Rule


async def owe(tx: Transaction, ended: Sequence[tuple[UUID, UUID]]) -> None:
    """Orders (with their merchants) of several products that end now: `count_due` counts them."""
    if ended:
        await repository.owe(tx, ended)


async def count_due(tx: Transaction, limit: int) -> int:
    """Counts at most `limit` orders that ended, each once; answers how many."""
    due = await repository.take_due(tx, limit)
    await count(tx, due)
    return len(due)


async def count(tx: Transaction, completed: Sequence[Completed]) -> None:
    """Adds orders to their days' pairs."""
    if completed:
        await repository.count_pairs(tx, completed)


async def list_for_product(
    tx: Transaction, merchant_id: UUID, product_id: UUID, rule: Rule, limit: int
) -> Sequence[Recommendation]:
    """The most often bought together first. Raises ProductNotFound."""
    await catalogue.get_product(tx, merchant_id, product_id)
    return await repository.list_for(tx, merchant_id, [product_id], rule, limit)


async def list_for_order(
    tx: Transaction, order: Order, rule: Rule, limit: int
) -> Sequence[Recommendation]:
    """For all of its products together; none that it has already."""
    products = {line.product_id for line in order.lines}
    return await repository.list_for(tx, order.merchant_id, products, rule, limit)


async def prune(tx: Transaction, window_days: int, limit: int) -> int:
    """Forgets days that no window reaches."""
    return await repository.prune(tx, window_days, limit)
