from kit.db import Database
from kit.periodic import Periodic
from risk.reviews.service import ReviewService

DECIDE_BATCH_MAX = 200


def decide_due_reviews(db: Database, reviews: ReviewService, *, every_seconds: float) -> Periodic:
    """Decides reviews that waited for too long, a bounded batch at a time."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await reviews.decide_due(tx, DECIDE_BATCH_MAX) == DECIDE_BATCH_MAX

    return Periodic("decide-due-reviews", every_seconds, run)
