from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from order.deliveries import repository
from order.deliveries.domain import Delivery, LineOutcome


def note(tx: Transaction, outcomes: Sequence[LineOutcome]) -> None:
    """Writes outcomes down, in one statement or none. The last word on a delivery wins within a
    batch, as it does across batches.
    """
    last = {outcome.delivery_id: outcome for outcome in outcomes}
    if last:
        repository.put_many(tx, last.values())


async def move_pages(tx: Transaction, urls: Mapping[UUID, str]) -> None:
    """The buyers' pages of these orders have other addresses."""
    await repository.move_pages(tx, urls)


async def replace_units(
    tx: Transaction, delivery_ids: Sequence[UUID], replaced: Mapping[str, tuple[str, str]]
) -> None:
    """Bad units give their place to those that replace them: old unit -> (unit, mask)."""
    await repository.replace_units(tx, delivery_ids, replaced)


async def find_of_orders(
    tx: Transaction, order_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[Delivery, ...]]:
    """The deliveries of each of the orders."""
    return await repository.find_of_orders(tx, order_ids)
