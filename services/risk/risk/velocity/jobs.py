from kit.db import Database
from kit.periodic import Periodic
from risk.velocity.service import VelocityService

FORGET_SECONDS = 60.0


def forget_old_purchases(db: Database, velocity: VelocityService) -> Periodic:
    """What no window reaches any more leaves the counts."""

    async def run() -> bool:
        async with db.transaction() as tx:
            keys = await velocity.forget(tx)
        # By itself: keys are locked before purchases everywhere else.
        async with db.transaction() as tx:
            await velocity.drop_idle(tx, keys)
        return bool(keys)

    return Periodic("forget-old-purchases", FORGET_SECONDS, run)
