from kit.db import Database
from kit.periodic import Periodic
from order.risk_defaults import service

BATCH_MAX = 200


def apply_risk_defaults(db: Database, *, every_seconds: float) -> Periodic:
    """What counts while risk is silent, a bounded batch at a time."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await service.apply_due(tx, BATCH_MAX) == BATCH_MAX

    return Periodic("apply-risk-defaults", every_seconds, run)
