from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from inventory_vault.cover import service as cover
from inventory_vault.cover.domain import is_low_now
from inventory_vault.gaps import service as gaps
from inventory_vault.lots.service import LotService
from inventory_vault.pools.domain import Pool
from inventory_vault.pools.service import PoolService
from inventory_vault.shelves import events, repository
from inventory_vault.shelves.domain import (
    ShelfChanged,
    ShelfLot,
    Shelves,
    TakenUnit,
    WantedLine,
    allot,
)
from kit.db import Transaction
from kit.messaging import outbox

STALE_LOTS_MAX = 50
POOLS_REVIEWED_MAX = 200


@dataclass(frozen=True, slots=True)
class OpenShelves:
    """Locked pools and their stock; what `Shelves.draw` noted is taken by `ShelfService.take`."""

    pools: Mapping[UUID, Pool]
    stock: Shelves
    before: Mapping[UUID, int]
    # The database's time, once the locks were held.
    at: datetime
    # What was taken besides, by lines that ask for a validity.
    fitted: Counter[UUID] = field(default_factory=Counter)

    def left(self, pool_id: UUID) -> int:
        """What is available of a locked pool by now."""
        return self.stock.available(pool_id) - self.fitted[pool_id]


class ShelfService:
    """Takes units off the shelf, puts them back, sells them: each a constant number of statements
    for any number of reservations.
    """

    def __init__(self, pools: PoolService, lots: LotService) -> None:
        self._pools = pools
        self._lots = lots

    async def open(self, tx: Transaction, pool_ids: Collection[UUID]) -> OpenShelves:
        """Waits for whoever moves these pools' stock: what is read then is the truth, so no sale is
        refused because units are merely locked.
        """
        wanted = sorted(pool_ids)
        pools, rows = await repository.open_shelves(tx, wanted)
        if rows.stale:
            await gaps.withdraw_expired(tx, rows.stale)
            pools, rows = await repository.open_shelves(tx, wanted)
        stock = Shelves(rows.lots)
        before = {pool_id: stock.available(pool_id) for pool_id in pools}
        return OpenShelves(pools, stock, before, rows.at)

    async def take(self, tx: Transaction, shelves: OpenShelves) -> None:
        """Allocates everything that was drawn. Publishes StockLow and StockOut when crossed."""
        lots = shelves.stock.touched()
        if not lots:
            return
        free = await repository.take_free(tx, lots)
        ahead = await _pick_ahead(tx, lots)
        repository.allocate(tx, lots, allot(shelves.stock.draws, free, ahead))
        for pool_id, before in shelves.before.items():
            after = shelves.stock.available(pool_id)
            await self.tell_shortage(tx, shelves.pools[pool_id], before, after)

    async def tell_shortage(self, tx: Transaction, pool: Pool, before: int, after: int) -> None:
        """Publishes StockOut or StockLow when what is available of a locked pool crosses the line
        from `before` to `after`: a pool that stays low says so once.
        """
        if before > 0 and after == 0:
            outbox.add(tx, events.stock_out(pool), key=pool.id, merchant_id=pool.merchant_id)
            return
        threshold = pool.low_stock_threshold
        if threshold is not None and after < threshold <= before:
            paces = await cover.paces_of(tx, [pool.id])
            event = events.stock_low(pool, after, paces[pool.id])
            outbox.add(tx, event, key=pool.id, merchant_id=pool.merchant_id)

    async def take_fitting(
        self, tx: Transaction, shelves: OpenShelves, lines: Sequence[WantedLine]
    ) -> list[tuple[WantedLine, int]]:
        """Allocates lines that ask for a validity or leave lots out, one by one, after `take`.
        Answers the short ones with what there was for each: then the caller undoes the whole.
        """
        short = []
        for line in lines:
            found = await gaps.take_fitting(
                tx,
                line.pool_id,
                line.min_valid_seconds,
                reservation_id=line.reservation_id,
                line_no=line.line_no,
                quantity=line.quantity,
                but_lots=line.exclude_lots,
            )
            if found < line.quantity:
                short.append((line, found))
        if not short:
            for line in lines:
                before = shelves.left(line.pool_id)
                shelves.fitted[line.pool_id] += line.quantity
                after = shelves.left(line.pool_id)
                await self.tell_shortage(tx, shelves.pools[line.pool_id], before, after)
        return short

    async def put_back(
        self, tx: Transaction, pool_ids: Collection[UUID], reservation_ids: Sequence[UUID]
    ) -> None:
        """The reserved units of these reservations go back; the caller holds their rows' locks."""
        if reservation_ids:
            await self._pools.lock(tx, pool_ids)
            await gaps.reopen(tx, await repository.put_back(tx, reservation_ids))

    async def put_rest_back(
        self, tx: Transaction, pool_ids: Collection[UUID], kept: Sequence[tuple[UUID, int, int]]
    ) -> None:
        """`kept`: (reservation, line, units) of what stays of these reservations' reserved units,
        the first to expire first; the caller holds the reservations' locks.
        """
        if kept:
            await self._pools.lock(tx, pool_ids)
            await gaps.reopen(tx, await repository.put_rest_back(tx, kept))

    async def sell(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> list[TakenUnit]:
        """The units of these reservations, sold now; the caller holds their rows' locks."""
        if not reservation_ids:
            return []
        units, sold = await repository.sell(tx, reservation_ids)
        assert sold == len(units), "a unit of a hold was not reserved"
        repository.count_sold(tx, Counter(unit.lot_id for unit in units))
        return units

    async def units_of(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> list[TakenUnit]:
        return await repository.units_of(tx, reservation_ids) if reservation_ids else []

    async def open_unit(self, tx: Transaction, lot_id: UUID, seq: int) -> bool:
        """sold -> opened; False when somebody opened it before."""
        return await repository.open_unit(tx, lot_id, seq)

    async def step(self, tx: Transaction, lot_ids: Sequence[UUID]) -> None:
        """Moves the cursors of these lots over units that are not on the shelf any more; the caller
        holds their pools' locks.
        """
        await gaps.step(tx, lot_ids)

    async def reopen(self, tx: Transaction, units: Sequence[tuple[UUID, int]]) -> None:
        """(lot, number) of units that are on the shelf again ahead of their cursors."""
        await gaps.reopen(tx, units)

    async def withdraw_expired_of(self, tx: Transaction, lot_ids: Sequence[UUID]) -> None:
        """What has expired leaves these lots' shelves; the caller holds their pools' locks."""
        await gaps.withdraw_expired(tx, lot_ids)

    async def review_cover(self, tx: Transaction, *, after: UUID | None) -> UUID | None:
        """Samples pools behind `after`, a bounded number, and publishes StockLow for those whose
        cover fell below their limit. Answers where to go on; None at the end.
        """
        looked = await cover.sample(tx, after=after, limit=POOLS_REVIEWED_MAX)
        limited = [pool for pool in await self._pools.of(tx, looked) if pool.low_cover_days]
        ids = [pool.id for pool in limited]
        if ids:
            paces = await cover.paces_of(tx, ids)
            levels = await self._lots.levels(tx, ids)
            changed = []
            for pool in limited:
                pace, available = paces[pool.id], levels[pool.id].available
                days = pace.cover_days(available)
                is_low = is_low_now(days, pool.low_cover_days, was_low=pace.is_low)
                if is_low is not pace.is_low:
                    changed.append((pool.id, is_low))
                if is_low and not pace.is_low:
                    event = events.stock_low(pool, available, pace)
                    outbox.add(tx, event, key=pool.id, merchant_id=pool.merchant_id)
            await cover.note_low(tx, changed)
        return looked[-1] if len(looked) == POOLS_REVIEWED_MAX else None

    async def withdraw_expired(self, tx: Transaction) -> bool:
        """Units past their own expiry leave the shelf; True while more lots may wait."""
        stale = await repository.stale_lots(tx, STALE_LOTS_MAX)
        if stale:
            await self._pools.lock(tx, {pool_id for pool_id, _ in stale})
            await gaps.withdraw_expired(tx, [lot_id for _, lot_id in stale])
        return len(stale) == STALE_LOTS_MAX


async def _pick_ahead(tx: Transaction, lots: Sequence[ShelfLot]) -> dict[UUID, Sequence[int]]:
    """The units the cursors pass. Only lots with gaps ahead need to ask the database, and then for
    one unit more: there the cursor goes.
    """
    picked: dict[UUID, Sequence[int]] = {}
    for lot in lots:
        if not lot.cursor_drawn:
            continue
        if not lot.has_gaps:
            lot.to_seq = lot.next_seq + lot.cursor_drawn
            picked[lot.id] = range(lot.next_seq, lot.to_seq)
            continue
        seqs = await gaps.pick(tx, lot.id, lot.next_seq, lot.cursor_drawn + 1)
        if len(seqs) < lot.cursor_drawn:
            raise ShelfChanged(f"lot {lot.id}: fewer units ahead than its cursor says")
        picked[lot.id] = seqs[: lot.cursor_drawn]
        lot.to_seq = seqs[-1] if len(seqs) > lot.cursor_drawn else seqs[-1] + 1
    return picked
