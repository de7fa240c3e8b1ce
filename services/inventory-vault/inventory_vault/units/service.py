import os
from collections.abc import Sequence
from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.shelves.service import ShelfService
from inventory_vault.units import events, repository
from inventory_vault.units.domain import (
    Evidence,
    Unit,
    UnitFilter,
    UnitFilterMissing,
    UnitNotFound,
    UnitNotSold,
    UnitRevoked,
    View,
    Viewer,
)
from kit.db import Transaction
from kit.ids import new_id
from kit.messaging import outbox

SALT_BYTES = 16


class UnitService:
    """Single units: what is known of them, who saw them, and showing them."""

    def __init__(self, shelves: ShelfService) -> None:
        self._shelves = shelves

    async def note_view(
        self,
        tx: Transaction,
        merchant_id: UUID,
        unit_id: UUID,
        *,
        recipient_public_key: bytes,
        viewer: Viewer,
        reason: str,
        requested_by: str,
    ) -> UUID:
        """Writes the view into the log (sold -> opened on the first) and answers its id, by which
        the opener re-seals once `tx` has committed. Raises UnitNotFound, UnitNotSold,
        UnitRevoked.
        """
        unit = await repository.lock(tx, merchant_id, unit_id)
        if unit is None:
            raise UnitNotFound
        if unit.reservation_id is None or unit.state not in ("sold", "opened", "redeemed"):
            raise UnitNotSold
        if unit.is_revoked:
            raise UnitRevoked
        if await self._shelves.open_unit(tx, unit.lot_id, unit.seq):
            opened = events.unit_opened(merchant_id, unit_id, unit.lot_id, unit.reservation_id)
            outbox.add(tx, opened, key=unit_id, merchant_id=merchant_id)
        view_id, salt = new_id(), os.urandom(SALT_BYTES)
        await repository.add_view(
            tx,
            view_id,
            merchant_id,
            unit_id,
            unit.reservation_id,
            recipient_public_key,
            viewer,
            reason,
            requested_by,
            salt,
        )
        note(
            tx,
            "unit.revealed",
            view_id,
            merchant_id=merchant_id,
            actor=requested_by,
            unit_id=str(unit_id),
            reservation_id=str(unit.reservation_id),
            viewer_kind=viewer.kind,
            viewer_digest=viewer.digest(salt),
            recipient_public_key=recipient_public_key.hex(),
            reason=reason,
        )
        return view_id

    async def lock_sold(self, tx: Transaction, merchant_id: UUID, unit_id: UUID) -> None:
        """Redemptions and views of the unit wait until `tx` ends.

        Raises UnitNotFound, UnitNotSold.
        """
        unit = await repository.lock(tx, merchant_id, unit_id)
        if unit is None:
            raise UnitNotFound
        if unit.reservation_id is None or unit.state not in ("sold", "opened", "redeemed"):
            raise UnitNotSold

    async def get(self, tx: Transaction, merchant_id: UUID, unit_id: UUID) -> Unit:
        """Raises UnitNotFound."""
        unit = await repository.find(tx, merchant_id, unit_id)
        if unit is None:
            raise UnitNotFound
        return unit

    async def get_evidence(self, tx: Transaction, merchant_id: UUID, unit_id: UUID) -> Evidence:
        """What is known of a sold unit's sale and views. Raises UnitNotFound, UnitNotSold."""
        found = await repository.find_evidence(tx, merchant_id, unit_id)
        if found is None:
            await self.get(tx, merchant_id, unit_id)
            raise UnitNotSold
        return found

    async def list_of(
        self,
        tx: Transaction,
        merchant_id: UUID,
        wanted: UnitFilter,
        *,
        after: tuple[UUID, int] | None,
        limit: int,
    ) -> list[Unit]:
        """Units by where they are, in order of lots and numbers. Raises UnitFilterMissing."""
        if wanted.pool_id is None and wanted.lot_id is None and wanted.reservation_id is None:
            raise UnitFilterMissing
        return await repository.list_of(tx, merchant_id, wanted, after=after, limit=limit)

    async def list_views(
        self, tx: Transaction, merchant_id: UUID, unit_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[View]:
        """Raises UnitNotFound."""
        await self.get(tx, merchant_id, unit_id)
        return await repository.list_views(tx, merchant_id, unit_id, after=after, limit=limit)
