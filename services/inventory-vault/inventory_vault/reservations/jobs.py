from inventory_vault.reservations.service import ReservationService
from kit.db import Database
from kit.periodic import Periodic

EVERY_SECONDS = 1.0


def expire_reservations(db: Database, reservations: ReservationService) -> Periodic:
    """Holds past their time give their units back."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await reservations.expire_due(tx)

    return Periodic("expire-reservations", EVERY_SECONDS, run)
