import hashlib
from collections.abc import Mapping, Sequence
from uuid import UUID

from inventory_vault.budgets import repository
from inventory_vault.budgets.domain import Book, Share
from inventory_vault.pools.domain import Pool
from kit.db import Transaction

Holder = tuple[tuple[str, str], ...]
"""(dimension, value): who asks, from where, with what, through which channel."""


class BudgetService:
    """Counts what unpaid holders have of pools with a budget. `secret` keys the hashes by which
    they are known.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, digest_size=32, person=b"holdbudget").digest()

    def shares_of(
        self, pools: Mapping[UUID, Pool], holder: Holder, lines: Sequence[tuple[UUID, int]]
    ) -> list[tuple[Share, int]]:
        """What a wish for these (pool, units) would add, per pool and dimension with a budget."""
        units: dict[Share, int] = {}
        for pool_id, quantity in lines:
            pool = pools.get(pool_id)
            for dimension, value in holder:
                if pool is not None and dimension in pool.hold_budget:
                    share = Share(pool_id, dimension, self._hash(pool.merchant_id, value))
                    units[share] = units.get(share, 0) + quantity
        return list(units.items())

    async def open(
        self, tx: Transaction, pools: Mapping[UUID, Pool], shares: Sequence[Share]
    ) -> Book:
        """What these holders have by now; the caller holds the pools' locks."""
        distinct = list(dict.fromkeys(shares))
        return Book(pools, await repository.held_by(tx, distinct) if distinct else {})

    async def write(
        self, tx: Transaction, holds: Sequence[tuple[UUID, UUID, Sequence[tuple[Share, int]]]]
    ) -> None:
        """`holds`: (reservation, merchant, shares) of new holds."""
        rows = [
            (reservation_id, merchant_id, share, units)
            for reservation_id, merchant_id, shares in holds
            for share, units in shares
        ]
        if rows:
            await repository.add(tx, rows)

    async def forget(self, tx: Transaction, reservation_ids: Sequence[UUID]) -> None:
        """These are paid for, or hold nothing any more."""
        if reservation_ids:
            await repository.remove(tx, reservation_ids)

    def _hash(self, merchant_id: UUID, value: str) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        digest.update(merchant_id.bytes + value.encode())
        return digest.digest()
