"""What a batch of wishes gets of the stock: arithmetic over figures read under locks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from inventory_vault.budgets.domain import Book, Share
from inventory_vault.budgets.service import BudgetService
from inventory_vault.pools.domain import PoolNotFound
from inventory_vault.quotas.domain import QuotaBook
from inventory_vault.quotas.service import QuotaService
from inventory_vault.reservations.domain import Line, OutOfStock, Wish
from inventory_vault.shelves.domain import WantedLine
from inventory_vault.shelves.service import OpenShelves
from kit.db import Transaction
from kit.errors import DomainError


@dataclass(frozen=True, slots=True)
class Plan:
    """What is there for a batch of wishes, and what their holders may have of it."""

    shelves: OpenShelves
    # Of the new reservations that are under a budget.
    shares: Mapping[UUID, Sequence[tuple[Share, int]]]
    book: Book
    quotas: QuotaBook
    # Of the new reservations that take of a channel's guarantee: (pool, units).
    uses: Mapping[UUID, Sequence[tuple[UUID, int]]]

    def budget_refusal(self, reservation_id: UUID) -> DomainError | None:
        shares = self.shares.get(reservation_id)
        if not shares:
            return None
        left = {share.pool_id: self.shelves.left(share.pool_id) for share, _ in shares}
        return self.book.refusal(shares, left)

    @property
    def counted(self) -> set[UUID]:
        """The new reservations that count against somebody."""
        return {*self.shares, *self.uses}

    def quota_refusal(self, reservation_id: UUID, wish: Wish) -> DomainError | None:
        """Lines that would take what is set aside for other channels."""
        if not self.quotas.buffers:
            return None
        wanted = wanted_of(reservation_id, wish)
        totals: Counter[UUID] = Counter()
        for line in wanted:
            totals[line.pool_id] += line.quantity
        short = []
        for line in wanted:
            left = self.shelves.left(line.pool_id)
            allowed = self.quotas.allowed(line.pool_id, wish.channel_id, left)
            if allowed is not None and totals[line.pool_id] > allowed:
                short.append((line, allowed))
        return out_of_stock(short) if short else None

    def count(self, reservation_id: UUID, wish: Wish) -> None:
        self.book.add(self.shares.get(reservation_id, ()))
        self.quotas.count(wish.channel_id, self.uses.get(reservation_id, ()))


async def plan_for(
    tx: Transaction,
    budgets: BudgetService,
    quotas: QuotaService,
    shelves: OpenShelves,
    fresh: Sequence[tuple[UUID, Wish]],
) -> Plan:
    """For new wishes under the pools' locks. The statements about budgets and quotas are asked
    only if one of them, or one of the pools, is under one.
    """
    shares = {}
    for reservation_id, wish in fresh:
        if wish.holder:
            lines = [(line.pool_id, line.quantity) for line in wish.lines]
            found = budgets.shares_of(shelves.pools, wish.holder, lines)
            if found:
                shares[reservation_id] = found
    wanted = [share for found in shares.values() for share, _ in found]
    book = await budgets.open(tx, shelves.pools, wanted)
    shared_out = await quotas.open(tx, shelves.pools)
    uses = {}
    if shared_out.buffers:
        for reservation_id, wish in fresh:
            lines = [(line.pool_id, line.quantity) for line in wish.lines]
            if found_uses := shared_out.uses(wish.channel_id, lines):
                uses[reservation_id] = found_uses
    return Plan(shelves, shares, book, shared_out, uses)


def draw(plan: Plan, reservation_id: UUID, wish: Wish) -> DomainError | None:
    """Draws a wish wholly from the shelves of the plan, or says why not."""
    missing = pool_missing(plan.shelves, wish)
    if missing is not None:
        return missing
    wanted = wanted_of(reservation_id, wish)
    short = plan.shelves.stock.short(wanted)
    if short:
        return out_of_stock(short)
    refusal = plan.quota_refusal(reservation_id, wish) or plan.budget_refusal(reservation_id)
    if refusal is not None:
        return refusal
    plan.shelves.stock.draw(wanted)
    plan.count(reservation_id, wish)
    return None


def pool_missing(shelves: OpenShelves, wish: Wish) -> DomainError | None:
    """PoolNotFound if a pool of the wish is not there, or not its merchant's."""
    for line in wish.lines:
        pool = shelves.pools.get(line.pool_id)
        if pool is None or pool.merchant_id != wish.merchant_id:
            return PoolNotFound(
                f"pool {line.pool_id} does not exist, or it is not yours",
                pool_id=str(line.pool_id),
            )
    return None


def wanted_of(reservation_id: UUID, wish: Wish) -> list[WantedLine]:
    return [
        WantedLine(
            reservation_id,
            wish.merchant_id,
            line.line_no,
            line.pool_id,
            line.quantity,
            line.min_valid_seconds,
            line.exclude_lots,
        )
        for line in wish.lines
    ]


def out_of_stock(short: Sequence[tuple[WantedLine, int]]) -> OutOfStock:
    return OutOfStock(
        [(Line(line.line_no, line.pool_id, line.quantity), left) for line, left in short]
    )
