"""Purchase limits, exact under races: one transaction locks the subjects, counts and writes."""

from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from order.limits import repository
from order.limits.domain import Claim, Drafted, LimitReached, decide

DAYS_KEPT = 31


async def check(tx: Transaction, claims: Sequence[Claim]) -> None:
    """Raises LimitReached as it stands; nothing is locked, so `take` has the last word."""
    if not claims:
        return
    used = await repository.used(tx, [claim.key for claim in claims])
    for error in decide(used, [("", claims)]).values():
        raise error


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


async def record(tx: Transaction, uses: Sequence[tuple[UUID, UUID, Claim]]) -> None:
    """Writes the claims of placed orders, each as (merchant, order, claim)."""
    if uses:
        await repository.add(tx, uses)


async def prune(tx: Transaction, limit: int) -> int:
    """Forgets at most `limit` uses that no window reaches any more; answers how many."""
    return await repository.prune(tx, days=DAYS_KEPT, limit=limit)
