from collections.abc import Sequence
from uuid import UUID

from inventory_vault.gaps import repository
from kit.db import Transaction


async def take_fitting(
    tx: Transaction,
    pool_id: UUID,
    min_valid_seconds: int,
    *,
    reservation_id: UUID,
    line_no: int,
    quantity: int,
    but_lots: Sequence[UUID] = (),
) -> int:
    """Allocates up to `quantity` units that expire later than in so many seconds, or never, the
    first to expire first, and of none of the lots `but_lots`. Answers how many there were; the
    caller holds the pool's lock and undoes all when they are too few.
    """
    left = quantity
    for lot in await repository.fitting_lots(tx, pool_id, min_valid_seconds, but_lots):
        if not left:
            break
        taken = await repository.take(tx, lot, reservation_id, line_no, left)
        left -= taken.units
        if taken.units:
            await repository.step(tx, [lot.id])
        if taken.first_ahead not in (None, lot.next_seq) and taken.last_ahead is not None:
            await repository.note_run(tx, lot.id, lot.from_seq, taken.last_ahead)
    return quantity - left


async def pick(tx: Transaction, lot_id: UUID, next_seq: int, count: int) -> list[int]:
    """The numbers of up to `count` units on the shelf from the cursor on."""
    return await repository.pick(tx, lot_id, next_seq, count)


async def withdraw_expired(tx: Transaction, lot_ids: Sequence[UUID]) -> int:
    """Takes the expired units of lots with mixed expiry off the shelf; how many there were."""
    return await repository.withdraw_expired(tx, lot_ids)


async def step(tx: Transaction, lot_ids: Sequence[UUID]) -> None:
    """Moves the cursors of these lots over units that are not on the shelf any more; the caller
    holds their pools' locks.
    """
    await repository.step(tx, lot_ids)


async def reopen(tx: Transaction, units: Sequence[tuple[UUID, int]]) -> None:
    """(lot, number) of units that came back ahead of their cursors: they are no gaps any more."""
    if units:
        await repository.split_runs(tx, [lot_id for lot_id, _ in units], [seq for _, seq in units])
