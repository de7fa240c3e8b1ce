from kit.db import Database
from kit.periodic import Periodic
from risk.challenges.service import ChallengeService

EXPIRE_BATCH_MAX = 200


def expire_challenges(
    db: Database, challenges: ChallengeService, *, every_seconds: float
) -> Periodic:
    """Ends challenges whose time is over, a bounded batch at a time."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await challenges.expire(tx, EXPIRE_BATCH_MAX) == EXPIRE_BATCH_MAX

    return Periodic("expire-challenges", every_seconds, run)
