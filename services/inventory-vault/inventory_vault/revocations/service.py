from collections.abc import Sequence, Set
from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.revocations import repository
from inventory_vault.revocations.domain import Revocation, UnitRedeemed
from inventory_vault.units.service import UnitService
from kit.db import Transaction


class RevocationService:
    """Sold units that count for nothing any more."""

    def __init__(self, units: UnitService) -> None:
        self._units = units

    async def revoke(
        self, tx: Transaction, merchant_id: UUID, unit_id: UUID, *, reason: str, requested_by: str
    ) -> Revocation:
        """Out of use from now on; the same again answers the first one. A redemption and this take
        turns: one of them comes second and is refused.

        Raises UnitNotFound, UnitNotSold, UnitRedeemed.
        """
        await self._units.lock_sold(tx, merchant_id, unit_id)
        is_new = await repository.add(tx, merchant_id, unit_id, reason, requested_by)
        found = await repository.find(tx, unit_id)
        if found is None:
            raise UnitRedeemed(unit_id=str(unit_id))
        if is_new:
            note(
                tx,
                "unit.revoked",
                unit_id,
                merchant_id=merchant_id,
                actor=requested_by,
                reason=reason,
            )
        return found

    async def sales_with_one(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> Set[UUID]:
        """Those of which at least one unit is revoked."""
        return await repository.sales_with_one(tx, reservation_ids) if reservation_ids else set()
