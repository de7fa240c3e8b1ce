from inventory_vault.conservation.service import ConservationService
from kit.periodic import Periodic

EVERY_SECONDS = 60.0


def check_conservation(conservation: ConservationService) -> Periodic:
    """Books of all lots, rows of some; an alarm for each that is broken."""

    async def run() -> bool:
        await conservation.check_books()
        await conservation.check_rows()
        return False

    return Periodic("check-conservation", EVERY_SECONDS, run)
