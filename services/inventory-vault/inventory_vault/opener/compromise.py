"""`python -m inventory_vault compromise`: what to do when a private key may be known to others.

From the next second on nothing is opened under it; what is on the shelf under it is quarantined,
holds of it end, and a file says per supplier which stock has to be cancelled. With --drill
everything is put back at the end, so that the way can be practised on live stock: holds are left
alone, and what is sold meanwhile opens afterwards.
"""

import argparse
import asyncio
import csv
import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.budgets.service import BudgetService
from inventory_vault.lots.service import LotService
from inventory_vault.opener import compromises
from inventory_vault.opener.commands import OPERATOR, opened_vault
from inventory_vault.opener.compromises import ExposedLot, MarkedKey
from inventory_vault.opener.keyring import Keyring
from inventory_vault.pools.service import PoolService
from inventory_vault.quotas.service import QuotaService
from inventory_vault.reservations.domain import first_together
from inventory_vault.reservations.service import ReservationService
from inventory_vault.settings import Settings
from inventory_vault.shelves.service import ShelfService
from kit.db import Database, Transaction
from kit.ids import new_id
from kit.spreadsheets import is_formula
from sealing import new_key_pair

LOTS_PER_BATCH = 200
HOLDS_PER_BATCH = 200
COLUMNS = ("supplier", "merchant_id", "lot_id", "units_on_shelf", "imported_at", "note")


@dataclass(slots=True)
class Drill:
    """What was changed, to be put back."""

    marked: MarkedKey
    quarantined: list[UUID] = field(default_factory=list)


async def compromise(settings: Settings, arguments: list[str]) -> None:
    """Ends with one clear sentence when there is no such key."""
    parser = argparse.ArgumentParser(prog="python -m inventory_vault compromise")
    parser.add_argument("--key", type=UUID, required=True, help="id of the sealing key")
    parser.add_argument("--out", type=Path, required=True, help="CSV file of the stock to cancel")
    parser.add_argument("--drill", action="store_true", help="put everything back at the end")
    wanted = parser.parse_args(arguments)
    began = time.monotonic()
    reason = f"sealing key {wanted.key} compromised" + (" (drill)" if wanted.drill else "")
    async with opened_vault(settings) as (db, keyring):
        drill = Drill(await _mark(db, keyring, wanted.key, is_drill=wanted.drill))
        try:
            await _quarantine(db, wanted.key, reason, drill)
            holds = 0 if wanted.drill else await _end_holds(db, wanted.key, reason)
            units = await _export(db, wanted.key, wanted.out)
        finally:
            if wanted.drill:
                await _put_back(db, wanted.key, drill)
    seconds = time.monotonic() - began
    lots = len(drill.quarantined)
    word = "drill: " if wanted.drill else ""
    sys.stdout.write(
        f"{word}{lots} lots quarantined, {units} units to cancel in {wanted.out}, "
        f"{holds} holds ended, {seconds:.1f} s"
        + ("; everything is as before\n" if wanted.drill else "\n")
    )


async def _mark(db: Database, keyring: Keyring, key_id: UUID, *, is_drill: bool) -> MarkedKey:
    """The opener notices within half a second. New stock needs a key, so an active one is replaced.

    Raises SystemExit.
    """
    pair, successor = new_key_pair(), new_id()
    wrapped = await keyring.wrap(pair.private_key)
    async with db.transaction() as tx:
        marked = await compromises.mark(tx, key_id, successor, pair.public_key, wrapped)
        if marked is None:
            raise SystemExit(f"there is no sealing key {key_id} that is in use")
        if not is_drill:
            await compromises.end_rotation(tx, key_id)
        note(
            tx,
            "sealing_key.compromised",
            key_id,
            merchant_id=None,
            actor=OPERATOR,
            drill=is_drill,
            state_before=marked.state_before,
            successor=str(marked.successor) if marked.successor else None,
        )
    return marked


async def _quarantine(db: Database, key_id: UUID, reason: str, drill: Drill) -> None:
    pools = PoolService()
    while True:
        async with db.read() as tx:
            lots = await compromises.lots_on_shelf(tx, key_id, LOTS_PER_BATCH)
        if not lots:
            return
        async with db.transaction() as tx:
            await pools.lock(tx, {lot.pool_id for lot in lots})
            moved = await compromises.move_lots(
                tx, [lot.lot_id for lot in lots], "on_shelf", "quarantined", reason, OPERATOR
            )
            _note_lots(tx, "lot.quarantined", moved, reason)
        drill.quarantined += [lot_id for lot_id, _ in moved]


async def _end_holds(db: Database, key_id: UUID, reason: str) -> int:
    """Of the quarantined lots, paid for or not: nobody could open what a buyer gets of them. Who
    holds for an order that is paid reserves anew, of other stock. Answers how many ended, no new
    ones of these lots begin any more.
    """
    async with db.read() as tx:
        held = await compromises.holds(tx, key_id)
    pools = PoolService()
    reservations = ReservationService(
        ShelfService(pools, LotService()),
        BudgetService(b""),  # what ends is forgotten by its id: no holder is looked for
        QuotaService(pools),
    )
    done = 0
    while done < len(held):
        part = first_together(held[done : done + HOLDS_PER_BATCH], lambda hold: hold.units)
        async with db.transaction() as tx:
            ids = [hold.reservation_id for hold in part]
            await reservations.release_many(tx, dict.fromkeys(ids, reason))
        done += len(part)
    return done


def _note_lots(
    tx: Transaction, action: str, lots: Sequence[tuple[UUID, UUID]], reason: str
) -> None:
    for lot_id, merchant_id in lots:
        note(tx, action, lot_id, merchant_id=merchant_id, actor=OPERATOR, reason=reason)


async def _export(db: Database, key_id: UUID, out: Path) -> int:
    """Sorted by supplier; how many units. The file names no code, and not even a mask."""
    async with db.read() as tx:
        lots = await compromises.exposed_lots(tx, key_id)
    digest = await asyncio.to_thread(_write, out, lots)
    units = sum(lot.units_on_shelf for lot in lots)
    async with db.transaction() as tx:
        note(
            tx,
            "stock.exported",
            key_id,
            merchant_id=None,
            actor=OPERATOR,
            lots=len(lots),
            units=units,
            file_sha256=digest,
        )
    return units


def _write(out: Path, lots: Sequence[ExposedLot]) -> str:
    """The SHA-256 of the file."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_row(lot) for lot in lots)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def _row(lot: ExposedLot) -> tuple[object, ...]:
    texts = ["'" + it if is_formula(it) else it for it in (lot.supplier, lot.note)]
    return (
        texts[0],
        lot.merchant_id,
        lot.lot_id,
        lot.units_on_shelf,
        lot.imported_at.isoformat(timespec="seconds"),
        texts[1],
    )


async def _put_back(db: Database, key_id: UUID, drill: Drill) -> None:
    async with db.transaction() as tx:
        await compromises.unmark(tx, key_id, drill.marked)
        note(tx, "sealing_key.restored", key_id, merchant_id=None, actor=OPERATOR)
    pools = PoolService()
    reason = f"drill of sealing key {key_id} is over"
    for start in range(0, len(drill.quarantined), LOTS_PER_BATCH):
        part = drill.quarantined[start : start + LOTS_PER_BATCH]
        async with db.transaction() as tx:
            await pools.lock(tx, await compromises.pools_of(tx, part))
            moved = await compromises.move_lots(
                tx, part, "quarantined", "on_shelf", reason, OPERATOR
            )
            _note_lots(tx, "lot.restored", moved, reason)
