"""Changes the vault's key while sales go on: what is sealed to the old one is sealed anew, lot by
lot, and the old key is destroyed when nothing needs it any more.

Every step is one transaction, so a kill at any point loses nothing: a successor finds by
`lot_seal` what is left. A lot gets a new seal per run, because the old run's ephemeral key died
with its process.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from inventory_vault.audit.service import SYSTEM, note
from inventory_vault.opener import reseals
from inventory_vault.opener.keyring import Keyring
from inventory_vault.opener.refusals import Refusal, alarm_refusals
from inventory_vault.opener.resealing import NotItsBox, open_stored, refuse
from inventory_vault.opener.reseals import StoredUnit, WornSeal
from kit.db import Database
from kit.ids import new_id
from kit.logging import get_logger
from kit.periodic import Periodic
from sealing import Header, Seal, Sealer, new_key_pair

log = get_logger(__name__)

LOOK_SECONDS = 0.5
UNITS_PER_BATCH = 1_000
UNITS_PER_TURN = 100
"""Units sealed anew between two looks at the callers: about 2 ms."""
STUCK_SECONDS = 60.0
QUIET_SECONDS = 10.0
"""Who read a box under the old key just before may still be opening it."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """A unit's box under the new seal."""

    seq: int
    nonce: bytes
    box: bytes


class Rotation:
    """One step per round: notice keys, begin what was asked for, seal a lot anew, retire a key."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        *,
        grace_seconds: float,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._grace_seconds = grace_seconds
        self._quiet_seconds = quiet_seconds
        self._empty_since: dict[UUID, float] = {}
        self._stuck: dict[tuple[UUID, int], float] = {}

    def jobs(self) -> list[Periodic]:
        """The keys are looked at apart: a compromised one must not wait for a lot to be done."""
        return [
            Periodic("keys", LOOK_SECONDS, self._keyring.sync),
            Periodic("rotation", LOOK_SECONDS, self.step),
        ]

    async def step(self) -> bool:
        """True while more waits."""
        if await self._begin():
            return True
        for key_id in self._keyring.old_ids():
            async with self._db.read() as tx:
                worn = await reseals.next_seal(tx, key_id, self._stuck_now())
            if worn is not None:
                await self._reseal_lot(worn)
                return True
            await self._retire(key_id)
        return False

    async def _begin(self) -> bool:
        """A rotation that was asked for gets its key."""
        async with self._db.read() as tx:
            if await reseals.wish(tx) is None:
                return False
        pair, key_id = new_key_pair(), new_id()
        wrapped = await self._keyring.wrap(pair.private_key)
        async with self._db.transaction() as tx:
            wish = await reseals.begin(tx, key_id, pair.public_key, wrapped)
            if wish is not None:
                note(
                    tx,
                    "sealing_key.rotated",
                    key_id,
                    merchant_id=None,
                    actor=wish.requested_by,
                    old_key_id=str(wish.old_key_id),
                    reason=wish.reason,
                )
        await self._keyring.sync()
        return True

    async def _reseal_lot(self, worn: WornSeal) -> None:
        key_id = self._keyring.active_id
        sealer = Sealer(self._keyring.active_public_key)
        async with self._db.transaction() as tx:
            seal_no = await reseals.next_seal_no(tx, worn.seal.lot_id)
            seal = Seal(worn.seal.merchant_id, worn.seal.lot_id, seal_no, key_id, sealer.public_key)
            if not await reseals.add_seal(tx, seal, self._keyring.prover.prove(seal)):
                return  # another opener is at this lot: the next step looks again
            await reseals.count_units(tx, worn.seal)
        after, moved, refused = 0, 0, 0
        while True:
            async with self._db.read() as tx:
                units = await reseals.units_under(tx, worn.seal, after, UNITS_PER_BATCH)
            if not units:
                break
            after = units[-1].seq
            resealed, refusals = await self._reseal(worn, units, seal, sealer)
            # Before the others move: who sees one left finds the alarm for it.
            await alarm_refusals(self._db, refusals)
            async with self._db.transaction() as tx:
                moved += await reseals.move(tx, worn.seal, seal.seal_no, resealed)
            refused += len(refusals)
        await self._finish_lot(worn, seal, moved, refused)

    async def _reseal(
        self, worn: WornSeal, units: Sequence[StoredUnit], seal: Seal, sealer: Sealer
    ) -> tuple[list[Resealed], list[Refusal]]:
        resealed: list[Resealed] = []
        refusals: list[Refusal] = []
        for number, unit in enumerate(units):
            if number % UNITS_PER_TURN == 0:
                await asyncio.sleep(0)
            try:
                inside = open_stored(
                    self._keyring, worn.seal, worn.proof, unit.unit_id, unit.nonce, unit.box
                )
            except NotItsBox as error:
                reason = refuse(error, worn.seal, unit.unit_id)
                refusals.append(
                    Refusal(worn.seal.merchant_id, worn.seal.lot_id, unit.unit_id, reason)
                )
                continue
            header = Header(seal.merchant_id, seal.lot_id, unit.unit_id, seal.key_id)
            box = sealer.seal_plaintext(inside.rebound(header))
            resealed.append(Resealed(unit.seq, box.nonce, box.ciphertext))
        return resealed, refusals

    async def _finish_lot(self, worn: WornSeal, seal: Seal, moved: int, refused: int) -> None:
        lot_id = worn.seal.lot_id
        async with self._db.transaction() as tx:
            is_done = await reseals.drop_if_bare(tx, worn.seal)
            if moved:
                note(
                    tx,
                    "lot.resealed",
                    lot_id,
                    merchant_id=worn.seal.merchant_id,
                    actor=SYSTEM,
                    old_key_id=str(worn.seal.key_id),
                    key_id=str(seal.key_id),
                    seal_no=seal.seal_no,
                    units=moved,
                    refused=refused,
                )
            else:
                # A lot that stays stuck would get one more at each look.
                await reseals.drop_if_bare(tx, seal)
        if not is_done:
            # What does not open keeps its seal and the key: a restored backup opens again. Looked
            # at again in a while.
            self._stuck[(lot_id, worn.seal.seal_no)] = time.monotonic()
            log.warning("lot_not_resealed", lot_id=str(lot_id), moved=moved, refused=refused)

    def _stuck_now(self) -> list[tuple[UUID, int]]:
        now = time.monotonic()
        self._stuck = {seal: at for seal, at in self._stuck.items() if now - at < STUCK_SECONDS}
        return list(self._stuck)

    async def _retire(self, key_id: UUID) -> None:
        """Once nothing has named the key for a while: what is stored of it is overwritten."""
        async with self._db.read() as tx:
            is_needed = await reseals.is_needed(tx, key_id, self._grace_seconds)
        if is_needed:
            self._empty_since.pop(key_id, None)
            return
        since = self._empty_since.setdefault(key_id, time.monotonic())
        if time.monotonic() - since < self._quiet_seconds:
            return
        async with self._db.transaction() as tx:
            if not await reseals.retire(tx, key_id):
                return
            note(tx, "sealing_key.retired", key_id, merchant_id=None, actor=SYSTEM)
        self._keyring.forget(key_id)
        log.info("sealing_key_destroyed", key_id=str(key_id))
