import contextlib
import time
from collections.abc import Sequence
from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.custody import repository
from inventory_vault.custody.domain import (
    BegunSeal,
    BoxesNotSetUp,
    CheckedBox,
    HandedBox,
    KeyInUse,
    NotHandedOut,
    RefusedBox,
    SealingKey,
    SealingKeyRetired,
    SentBox,
    to_box,
    to_checked,
)
from inventory_vault.opener.client import OpenerClient
from kit.db import Transaction
from kit.errors import DomainError
from kit.ids import new_id
from sealing import Seal, Sealer

KEY_TRUSTED_SECONDS = 5.0
BEGIN_ATTEMPTS_MAX = 3
KEYS_SHOWN_MAX = 100
CHECKED_TOGETHER = 500
"""Boxes per call: a few hundredths of a second of the opener, which serves hand-outs between."""


class CustodyService:
    """The way to the opener. Never called inside a transaction: it reads what is committed."""

    def __init__(self, opener: OpenerClient) -> None:
        self._opener = opener
        self._key: SealingKey | None = None
        self._key_read_at = 0.0

    async def active_key(self) -> SealingKey:
        """Asked of the opener, not of the database: a row exchanged there must not redirect stock.

        Raises Unavailable.
        """
        now = time.monotonic()
        if self._key is None or now - self._key_read_at > KEY_TRUSTED_SECONDS:
            found = await self._opener.active_key()
            self._key = SealingKey(UUID(found["key_id"]), bytes.fromhex(found["public_key"]))
            self._key_read_at = now
        return self._key

    async def rotate(self, tx: Transaction, *, reason: str, requested_by: str) -> UUID:
        """Asks the opener for a new key, and for everything to be sealed anew under it. It begins
        within a second of the commit of `tx`. Raises RotationRunning.
        """
        rotation_id = new_id()
        await repository.add_rotation(tx, rotation_id, reason, requested_by)
        note(
            tx,
            "key_rotation.requested",
            rotation_id,
            merchant_id=None,
            actor=requested_by,
            reason=reason,
        )
        return rotation_id

    async def list_keys(self, tx: Transaction) -> Sequence[KeyInUse]:
        """The newest first."""
        return await repository.list_keys(tx, KEYS_SHOWN_MAX)

    async def attest(self, seal: Seal) -> bytes:
        """The opener's proof of a seal, to be stored with it: without it nothing under the seal is
        ever opened. Raises Unavailable, SealingKeyRetired.
        """
        proof = await self._opener.attest(seal)
        if proof is None:
            self._key = None
            raise SealingKeyRetired
        return proof

    async def begin_seal(self, merchant_id: UUID, lot_id: UUID) -> BegunSeal:
        """A new lot's sealer under the active key, with its proof. Raises Unavailable."""
        for _ in range(BEGIN_ATTEMPTS_MAX):
            key = await self.active_key()
            sealer = Sealer(key.public_key)
            seal = Seal(merchant_id, lot_id, 0, key.key_id, sealer.public_key)
            with contextlib.suppress(SealingKeyRetired):
                return BegunSeal(key.key_id, sealer, await self.attest(seal))
        raise SealingKeyRetired

    async def hand_out(
        self, handout_ids: Sequence[UUID]
    ) -> dict[UUID, dict[str, HandedBox] | DomainError]:
        """Per hand-out its boxes by the text of the unit's id, or the error that keeps it back.

        Raises Unavailable.
        """
        answers = await self._opener.handouts(handout_ids)
        found: dict[UUID, dict[str, HandedBox] | DomainError] = {}
        for handout_id in handout_ids:
            units = answers.get(str(handout_id))
            try:
                if not units:
                    raise NotHandedOut
                found[handout_id] = {unit: to_box(unit, box) for unit, box in units.items()}
            except DomainError as error:
                found[handout_id] = error
        return found

    async def show(self, unit_id: UUID, view_id: UUID) -> HandedBox:
        """The box of a committed view.

        Raises Unavailable, UnitUnopenable, UnitShredded, NotHandedOut, OpenerCapped.
        """
        answer = await self._opener.view(view_id)
        if answer is None:
            raise NotHandedOut
        return to_box(str(unit_id), answer)

    async def check(
        self,
        boxes: Sequence[SentBox],
        *,
        merchant_id: UUID,
        lot_id: UUID,
        key_id: UUID,
        kind: str,
        public_key: str,
    ) -> list[CheckedBox | RefusedBox]:
        """What is in boxes that a shop sealed for this lot, in their order. The opener opens each
        and tells no more than fingerprint, mark and mask.

        Raises SealingKeyRetired (also for no boxes at all), BoxesNotSetUp, Unavailable.
        """
        about = {
            "merchant_id": str(merchant_id),
            "lot_id": str(lot_id),
            "key_id": str(key_id),
            "kind": kind,
            "public_key": public_key,
        }
        found: list[CheckedBox | RefusedBox] = []
        for start in range(0, max(len(boxes), 1), CHECKED_TOGETHER):
            part = boxes[start : start + CHECKED_TOGETHER]
            units = [(str(box.unit_id), box.nonce, box.ciphertext) for box in part]
            answer = await self._opener.check({**about, "units": units})
            if answer.get("refused") == SealingKeyRetired.code:
                raise SealingKeyRetired
            if "refused" in answer:
                raise BoxesNotSetUp
            found += [to_checked(unit) for unit in answer["units"]]
        return found
