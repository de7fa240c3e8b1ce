"""What is known of suppliers, and who is not called for a while."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fulfillment.routing.domain import OfferKey, Record, Seen
from fulfillment.routing.repository import RoutingRepository
from kit.db import Transaction
from kit.logging import get_logger

log = get_logger(__name__)

PROBE = timedelta(seconds=30)
"""So long the one call that tries an open circuit is waited for."""
PRUNED_TOGETHER_MAX = 5_000


@dataclass(frozen=True, slots=True)
class CircuitLimits:
    """A circuit opens after `failures_min` failures in a row, for `pause`, twice as long each time
    that the try after it fails, `pause_max` at most.
    """

    failures_min: int
    pause: timedelta
    pause_max: timedelta = timedelta(minutes=15)


class RoutingService:
    def __init__(self, repository: RoutingRepository, limits: CircuitLimits) -> None:
        self._repository = repository
        self._limits = limits

    async def admit(self, tx: Transaction, accounts: Sequence[tuple[UUID, str]]) -> list[bool]:
        """Whether each of these calls, in order, may be made. Of an open circuit whose pause is
        over one call may; all processes share that.
        """
        found = await self._repository.find_open(tx, sorted(set(accounts), key=str))
        ready = [account for account, may_probe in found.items() if may_probe]
        probes = await self._repository.take_probes(tx, ready, PROBE) if ready else set()
        admitted = []
        for account in accounts:
            admitted.append(account not in found or account in probes)
            probes.discard(account)
        return admitted

    async def note(self, tx: Transaction, seen: Sequence[Seen]) -> None:
        """Counts outcomes, closes the circuits of those that answered and counts the others'
        failures.
        """
        await self._repository.count(tx, seen)
        works = {(it.merchant_id, it.supplier) for it in seen if it.is_trouble is False}
        troubles = Counter((it.merchant_id, it.supplier) for it in seen if it.is_trouble)
        troubles = Counter({key: n for key, n in troubles.items() if key not in works})
        if works:
            for merchant_id, supplier in await self._repository.close(tx, sorted(works, key=str)):
                log.warning("circuit_closed", supplier=supplier, merchant_id=str(merchant_id))
        if troubles:
            await self._trouble(tx, troubles)

    async def find_records(
        self, tx: Transaction, offers: Sequence[OfferKey]
    ) -> Mapping[OfferKey, Record]:
        """What was seen of these; one that nothing is known of is not in it."""
        return await self._repository.find_records(tx, offers)

    async def find_open(
        self, tx: Transaction, accounts: Sequence[tuple[UUID, str]]
    ) -> set[tuple[UUID, str]]:
        """Those of (merchant, supplier) that would not be called now."""
        found = await self._repository.find_open(tx, accounts)
        return {account for account, may_probe in found.items() if not may_probe}

    async def prune(self, tx: Transaction) -> bool:
        """Drops a bounded number of old statistics; whether there may be more."""
        return await self._repository.prune(tx, PRUNED_TOGETHER_MAX) == PRUNED_TOGETHER_MAX

    async def _trouble(self, tx: Transaction, troubles: Mapping[tuple[UUID, str], int]) -> None:
        opened = await self._repository.trouble(
            tx,
            troubles,
            failures_min=self._limits.failures_min,
            pause=self._limits.pause,
            pause_max=self._limits.pause_max,
        )
        for (merchant_id, supplier), openings in opened.items():
            about = {"supplier": supplier, "merchant_id": str(merchant_id)}
            if openings == 1:
                log.error("circuit_open", **about)
            else:
                # The call that tried after its pause failed too: no news.
                log.info("circuit_still_open", openings=openings, **about)
