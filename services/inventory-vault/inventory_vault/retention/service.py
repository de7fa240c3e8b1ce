from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from prometheus_client import Counter

from inventory_vault.audit.domain import units_digest
from inventory_vault.audit.service import SYSTEM, note
from inventory_vault.retention import repository
from inventory_vault.retention.domain import Doomed, Source
from kit.db import Transaction
from kit.ids import new_id

BATCH_UNITS = 5_000

SHREDDED = Counter(
    "inventory_vault_units_shredded_total", "Boxes overwritten after the retention time", ["source"]
)


class RetentionService:
    """Overwrites the boxes of units that nobody needs any more, so that an old database or a
    backup of it cannot give away their codes. Sale, fingerprint and mask stay.
    """

    def __init__(self, *, days: int, batch_units: int = BATCH_UNITS) -> None:
        self._days = days
        self._batch_units = batch_units

    async def shred_due(self, tx: Transaction) -> bool:
        """One bounded batch of units that were sold, withdrawn for good, or of a lot that was void
        or expired, for longer than `days`; True while more may wait. Nothing at all with 0 days.
        """
        if self._days == 0:
            return False
        for source in (Source.SALE, Source.WITHDRAWN):
            if await self._shred_window(tx, source):
                return True
        return await self._shred_lot(tx)

    async def _shred_window(self, tx: Transaction, source: Source) -> bool:
        if not await repository.begin(tx, source):
            return False
        wanted = await repository.window(tx, source, self._days)
        if wanted is None:
            return False
        units = await repository.due_in(tx, source, wanted, self._batch_units)
        await self._shred(tx, units, source)
        await repository.keep(tx, source, wanted.next(len(units), self._batch_units))
        return bool(units) or not wanted.is_last

    async def _shred_lot(self, tx: Transaction) -> bool:
        if not await repository.begin(tx, Source.LOT):
            return False
        lot = await repository.dead_lot(tx, self._days)
        if lot is None:
            return False
        units, last, saw_held = await repository.units_of_lot(tx, lot, self._batch_units)
        await self._shred(tx, units, Source.LOT)
        reached = replace(
            lot, through_seq=last or lot.through_seq, saw_held=lot.saw_held or saw_held
        )
        if last is None:
            await repository.finish_lot(tx, reached)
        else:
            await repository.keep_lot(tx, reached)
        return True

    async def _shred(self, tx: Transaction, units: Sequence[Doomed], source: Source) -> None:
        """Told in the log lot by lot."""
        if not units:
            return
        merchants = {unit.lot_id: unit.merchant_id for unit in units}
        ids = {lot_id: new_id() for lot_id in merchants}
        shredded: defaultdict[UUID, list[UUID]] = defaultdict(list)
        # In one order, as a rotation takes them.
        for gone in await repository.shred(tx, sorted(units), ids):
            shredded[gone.lot_id].append(gone.unit_id)
        rows = [
            (ids[lot_id], merchants[lot_id], lot_id, len(found))
            for lot_id, found in shredded.items()
        ]
        await repository.add_shreddings(tx, rows, source, self._days)
        for shredding_id, merchant_id, lot_id, count in rows:
            note(
                tx,
                "units.shredded",
                shredding_id,
                merchant_id=merchant_id,
                actor=SYSTEM,
                lot_id=str(lot_id),
                source=source.value,
                retention_days=self._days,
                units=count,
                units_digest=units_digest(shredded[lot_id]),
            )
            SHREDDED.labels(source.value).inc(count)
