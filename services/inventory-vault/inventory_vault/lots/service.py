from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from inventory_vault.lots import events, repository
from inventory_vault.lots.domain import (
    Levels,
    Lot,
    LotAlreadySold,
    LotNotFound,
    LotNotUndoable,
    LotState,
    NewLot,
    SealedUnit,
)
from kit.db import Transaction
from kit.messaging import outbox
from kit.money import Money
from sealing import Seal

LOTS_SHOWN_MAX = 100
DISCARD_BATCH = 20_000
COUNTED_TOGETHER_MAX = 200_000
"""Units counted row by row by one statement: well below a second."""
UNBALANCED_SHOWN_MAX = 100
COUNTED = (
    "imported",
    "reserved",
    "sold",
    "opened",
    "redeemed",
    "withdrawn",
    "sales",
    "on_shelf",
)


@dataclass(frozen=True, slots=True)
class Conservation:
    """A lot's books checked against its rows: what came in must be somewhere, once."""

    lot: Lot
    counted: dict[str, int]

    @property
    def holds(self) -> bool:
        levels, counted = self.lot.levels, self.counted
        on_shelf_or_withdrawn = (
            levels.available + levels.expired + levels.quarantined + levels.void + levels.inactive
        )
        return (
            counted["imported"] == levels.total == sum(levels.figures()) - levels.total
            and counted["reserved"] == levels.reserved
            and counted["sold"] == levels.sold
            and counted["opened"] == levels.opened
            and counted["redeemed"] == levels.redeemed
            and counted["sales"] == levels.sold + levels.opened + levels.redeemed
            and counted["on_shelf"] + counted["withdrawn"] == on_shelf_or_withdrawn
            and min(levels.figures()) >= 0
        )


class LotService:
    """Lots: made by imports, read by everybody."""

    async def begin(self, tx: Transaction, lot: NewLot) -> None:
        """An empty lot nobody sees yet. Raises LotIdTaken, SealingKeyRetired."""
        await repository.add(tx, lot)

    async def known_fingerprints(
        self, tx: Transaction, merchant_id: UUID, fingerprints: Sequence[bytes]
    ) -> set[bytes]:
        """Which of these the merchant's stock holds already."""
        return await repository.known_fingerprints(tx, merchant_id, fingerprints)

    async def last_seq(self, tx: Transaction, lot_id: UUID) -> int:
        """How far the lot's sequence is stored."""
        return await repository.last_seq(tx, lot_id)

    async def marks_elsewhere(
        self, tx: Transaction, merchant_id: UUID, marks: Sequence[int]
    ) -> set[int]:
        """Which of these codes are in the stock of another merchant too."""
        return await repository.marks_elsewhere(tx, merchant_id, marks)

    async def next_seal_no(self, tx: Transaction, lot_id: UUID) -> int:
        """Of a seal to be begun for a lot that has some already."""
        return await repository.next_seal_no(tx, lot_id)

    async def has_seal(self, tx: Transaction, seal: Seal) -> bool:
        return await repository.has_seal(tx, seal)

    async def add_seal(self, tx: Transaction, seal: Seal, proof: bytes) -> None:
        """One more seal of a lot, for units that are still to come. Raises SealingKeyRetired."""
        await repository.add_seal(tx, seal, proof)

    async def add_rows(
        self, tx: Transaction, rows: AsyncIterator[bytes], columns: Sequence[str]
    ) -> None:
        """Units that are ready for the database's binary COPY: of one lot, numbered densely.

        Raises CodeTaken.
        """
        await repository.add_rows(tx, rows, columns)

    async def add_units(self, tx: Transaction, lot: NewLot, units: Sequence[SealedUnit]) -> None:
        await repository.add_units(tx, lot.id, lot.merchant_id, units)

    async def put_on_shelf(
        self,
        tx: Transaction,
        lot: NewLot,
        *,
        size: int,
        total_cost: Money,
        head_expires_at: datetime | None,
        mixed_expiry: bool,
    ) -> None:
        """The lot is for sale when `tx` commits, or inactive if it needs activation. Publishes
        StockImported. The expiry is what the lot was begun with. Raises LotExposed.
        """
        expires_at = await repository.put_on_shelf(
            tx,
            lot.id,
            size=size,
            total_cost_minor=total_cost.amount_minor,
            state=LotState.INACTIVE if lot.needs_activation else LotState.ON_SHELF,
            head=head_expires_at,
            mixed_expiry=mixed_expiry,
        )
        event = events.stock_imported(replace(lot, expires_at=expires_at), size, total_cost)
        outbox.add(tx, event, key=lot.pool_id, merchant_id=lot.merchant_id)

    async def undo(self, tx: Transaction, lot: Lot) -> None:
        """Off the shelf for good, under its pool's lock. Publishes StockUndone. Raises
        LotAlreadySold, LotNotUndoable.
        """
        if not await repository.undo(tx, lot.id):
            levels = lot.levels
            sold = levels.reserved + levels.sold + levels.opened + levels.redeemed
            raise LotAlreadySold if sold and lot.state is not LotState.VOID else LotNotUndoable
        outbox.add(tx, events.stock_undone(lot), key=lot.pool_id, merchant_id=lot.merchant_id)

    async def list_undone(self, tx: Transaction, limit: int) -> list[UUID]:
        """Lots whose units are still to be deleted."""
        return await repository.list_undone(tx, limit)

    async def discard(self, tx: Transaction, lot_id: UUID) -> bool:
        """Takes back a lot nobody sees (importing, undone); True while units are left."""
        if await repository.discard_units(tx, lot_id, DISCARD_BATCH) == DISCARD_BATCH:
            return True
        await repository.discard(tx, lot_id)
        return False

    async def levels(self, tx: Transaction, pool_ids: Sequence[UUID]) -> dict[UUID, Levels]:
        found = await repository.levels_of(tx, pool_ids)
        return {pool_id: found.get(pool_id, Levels()) for pool_id in pool_ids}

    async def list_of_pool(self, tx: Transaction, pool_id: UUID) -> list[Lot]:
        return await repository.list_of_pool(tx, pool_id, LOTS_SHOWN_MAX)

    async def get(self, tx: Transaction, merchant_id: UUID, lot_id: UUID) -> Lot:
        """Raises LotNotFound."""
        lot = await repository.find(tx, merchant_id, lot_id)
        if lot is None:
            raise LotNotFound
        return lot

    async def conservation(self, tx: Transaction, merchant_id: UUID, lot_id: UUID) -> Conservation:
        """Books and rows of one moment; the first thing done in `tx`. Raises LotNotFound."""
        await repository.freeze(tx)
        lot = await self.get(tx, merchant_id, lot_id)
        counted: Counter[str] = Counter()
        for first in range(1, lot.levels.total + 1, COUNTED_TOGETHER_MAX):
            last = first + COUNTED_TOGETHER_MAX - 1
            counted.update(await repository.count_rows(tx, lot_id, first, last))
        return Conservation(lot, {name: counted[name] for name in COUNTED})

    async def list_unbalanced(self, tx: Transaction) -> list[Lot]:
        """Lots whose figures do not sum up to what came in, or of which one is negative."""
        return await repository.list_unbalanced(tx, UNBALANCED_SHOWN_MAX)
