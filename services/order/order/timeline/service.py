from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from order.timeline import repository
from order.timeline.domain import Entry, ToldEntry


def tell(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Writes decisions down beside what they decided."""
    if entries:
        repository.add_many(tx, entries)


async def is_told(tx: Transaction, order_id: UUID, kind: str, details: Mapping[str, str]) -> bool:
    """Whether an entry of this kind with these details is written. Lock the order first."""
    return await repository.is_told(tx, order_id, kind, details)


async def list_entries(
    tx: Transaction, order_id: UUID, *, after: int, limit: int
) -> Sequence[ToldEntry]:
    return await repository.list_entries(tx, order_id, after=after, limit=limit)
