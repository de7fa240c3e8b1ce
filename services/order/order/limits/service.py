"""Purchase limits, exact under races: one transaction locks the subjects, counts and writes."""

from collections.abc import Sequence

from kit.db import Transaction
from order.limits import repository
from order.limits.domain import Claim, Drafted, LimitReached, Use, decide

DAYS_KEPT = 31


async def check_many(
    tx: Transaction, orders: Sequence[Sequence[Claim]]
) -> list[LimitReached | None]:
    """What each order's claims would be told as it stands, each as if it were alone. Nothing is
    locked, so `take` has the last word.
    """
    used = await repository.used(tx, [claim.key for claims in orders for claim in claims])
    return [decide(used, [("", claims)]).get(0) for claims in orders]


async def take(tx: Transaction, drafts: Sequence[Drafted]) -> dict[int, LimitReached]:
    """The drafts, by their place, that a limit refuses. Their subjects stay locked: write the
    others' uses with `record`.
    """
    claims = [claim for _, claims in drafts for claim in claims]
    if not claims:
        return {}
    await repository.lock(tx, [claim.subject for claim in claims])
    used = await repository.used(tx, [claim.key for claim in claims])
    return decide(used, drafts)


async def record(tx: Transaction, uses: Sequence[Use]) -> None:
    """Writes what orders take."""
    if uses:
        await repository.add(tx, uses)


async def prune(tx: Transaction, limit: int) -> int:
    """Forgets at most `limit` uses that no window reaches any more; answers how many."""
    return await repository.prune(tx, days=DAYS_KEPT, limit=limit)
