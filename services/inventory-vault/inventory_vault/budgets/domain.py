"""How much of a pool an unpaid holder may have: less, the scarcer the pool is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from inventory_vault.pools.domain import HoldBudget, Pool
from kit.errors import DomainError, ErrorKind


@dataclass(frozen=True, slots=True)
class Share:
    """What one holder in one dimension has of one pool."""

    pool_id: UUID
    dimension: str
    # A keyed hash: whose it is cannot be read from it.
    holder: bytes


@dataclass(frozen=True, slots=True)
class Held:
    units: int
    # When the first of those holds runs out.
    until: datetime | None


NOTHING = Held(0, None)


@dataclass(slots=True)
class Book:
    """Held and unpaid units of the holders of some wishes, counted up while a batch is planned."""

    pools: Mapping[UUID, Pool]
    held: dict[Share, Held]

    def refusal(
        self, shares: Iterable[tuple[Share, int]], available: Mapping[UUID, int]
    ) -> "HoldBudgetExceeded | None":
        """Why these units may not be held besides; None if they may."""
        for share, units in shares:
            pool = self.pools[share.pool_id]
            own = self.held.get(share, NOTHING)
            budget = pool.hold_budget[share.dimension]
            allowed = allowance(
                budget, available[pool.id], own.units, pool.low_stock_threshold or 0
            )
            if own.units + units > allowed:
                return HoldBudgetExceeded(share, own, allowed)
        return None

    def add(self, shares: Sequence[tuple[Share, int]]) -> None:
        for share, units in shares:
            own = self.held.get(share, NOTHING)
            self.held[share] = Held(own.units + units, own.until)


def allowance(budget: HoldBudget, available: int, own: int, comfort: int) -> int:
    """max(units_min, floor(share x (available + own) x min(1, available / comfort)))."""
    share = budget.share_percent * (available + own)
    limit = share * min(available, comfort) // (100 * comfort) if comfort > 0 else share // 100
    return max(budget.units_min, limit)


class HoldBudgetExceeded(DomainError):
    """One unpaid holder may not have so much of this stock; pay for what is held or give it back,
    ask for less, or come again after `retry_at`, when the first of those holds runs out.
    """

    code = "hold_budget_exceeded"
    kind = ErrorKind.CONFLICT

    def __init__(self, share: Share, own: Held, allowed: int) -> None:
        super().__init__(
            f"too much of this stock is held unpaid by one {share.dimension}; pay, give back, ask "
            "for less, or come again later",
            pool_id=str(share.pool_id),
            dimension=share.dimension,
            held=own.units,
            allowed=allowed,
            retry_at=own.until.isoformat() if own.until else None,
        )
