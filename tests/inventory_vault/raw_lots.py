"""Lots put on the shelf by the lots' own service: quick, and with states and expiries at will."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from inventory_vault.lots.domain import NewLot, SealedUnit
from inventory_vault.lots.service import LotService
from kit.db import Database
from kit.ids import new_id
from kit.money import Money

COST = Money(500, "CNY")


async def add_raw_lot(
    db: Database,
    merchant: UUID,
    pool_id: str,
    units: int,
    *,
    needs_activation: bool = False,
    expires_at: datetime | None = None,
    expiries: Sequence[datetime | None] | None = None,
    supplier: str = "ACME",
    mask: str = "A****Z",
) -> str:
    """`expiries`: one per unit, in the order in which they end; the lot is a mixed one then. The
    boxes are noise: such units are sold, never opened.
    """
    lots = LotService()
    lot = NewLot(
        id=new_id(),
        merchant_id=merchant,
        pool_id=UUID(pool_id),
        unit_cost=COST,
        expires_at=expires_at,
        supplier=supplier,
        note=None,
        key_id=await _active_key(db),
        sender_public_key=secrets.token_bytes(32),
        seal_proof=secrets.token_bytes(32),
        needs_activation=needs_activation,
    )
    sealed = [
        SealedUnit(
            seq=seq,
            unit_id=new_id(),
            nonce=secrets.token_bytes(24),
            box=b"noise",
            mask=mask,
            fingerprint=secrets.token_bytes(16),
            unit_cost_minor=None,
            expires_at=expiries[seq - 1] if expiries else None,
        )
        for seq in range(1, units + 1)
    ]
    async with db.transaction() as tx:
        await lots.begin(tx, lot)
        await lots.add_units(tx, lot, sealed)
        await lots.put_on_shelf(
            tx,
            lot,
            size=units,
            total_cost=Money(COST.amount_minor * units, COST.currency),
            head_expires_at=expiries[0] if expiries else None,
            mixed_expiry=expiries is not None,
        )
    return str(lot.id)


async def _active_key(db: Database) -> UUID:
    """The opener has made it; a lot under no living key is refused."""
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT key_id FROM sealing_key WHERE state = 'active'"))
        return UUID(str(rows.one().key_id))
