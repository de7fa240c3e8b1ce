from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.pools import repository
from inventory_vault.pools.domain import HoldBudget, Pool, PoolNotFound, UnitKind
from kit.db import Transaction
from kit.ids import new_id


class PoolService:
    """Pools by themselves; what stands in them is the business of `lots`."""

    async def create(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        name: str,
        unit_kind: UnitKind,
        low_stock_threshold: int | None,
        low_cover_days: int | None,
        hold_budget: Mapping[str, HoldBudget],
        requested_by: str,
    ) -> Pool:
        settings = {
            "name": name,
            "low_stock_threshold": low_stock_threshold,
            "low_cover_days": low_cover_days,
            "hold_budget": _document(hold_budget),
        }
        pool = await repository.add(
            tx,
            {
                "id": new_id(),
                "merchant_id": merchant_id,
                "unit_kind": unit_kind.value,
                **settings,
            },
        )
        _note(tx, "pool.created", pool, requested_by, {"unit_kind": unit_kind.value, **settings})
        return pool

    async def change(
        self,
        tx: Transaction,
        merchant_id: UUID,
        pool_id: UUID,
        settings: Mapping[str, Any],
        *,
        requested_by: str,
    ) -> Pool:
        """Only what `settings` names: name, low_stock_threshold, low_cover_days, hold_budget.
        Raises PoolNotFound.
        """
        values = dict(settings)
        if "hold_budget" in values:
            values["hold_budget"] = _document(values["hold_budget"] or {})
        if not values:
            return await self.get(tx, merchant_id, pool_id)
        pool = await repository.change(tx, merchant_id, pool_id, values)
        if pool is None:
            raise PoolNotFound(f"pool {pool_id} does not exist, or it is not yours")
        _note(tx, "pool.changed", pool, requested_by, values)
        return pool

    async def get(self, tx: Transaction, merchant_id: UUID, pool_id: UUID) -> Pool:
        """Raises PoolNotFound."""
        pool = await repository.find(tx, merchant_id, pool_id)
        if pool is None:
            raise PoolNotFound(f"pool {pool_id} does not exist, or it is not yours")
        return pool

    async def list_of(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[Pool]:
        return await repository.list_of(tx, merchant_id, after=after, limit=limit)

    async def of(self, tx: Transaction, pool_ids: Sequence[UUID]) -> list[Pool]:
        """These pools, of whichever merchants."""
        return await repository.of(tx, pool_ids) if pool_ids else []

    async def lock(self, tx: Transaction, pool_ids: Collection[UUID]) -> dict[UUID, Pool]:
        """The existing ones of these pools, locked in a fixed order. Nobody else moves their stock
        until `tx` ends, so statements after this one see the newest stock.
        """
        return {pool.id: pool for pool in await repository.lock(tx, sorted(pool_ids))}


def _document(budget: Mapping[str, HoldBudget]) -> dict[str, Any] | None:
    return {name: asdict(of) for name, of in budget.items()} or None


def _note(
    tx: Transaction, action: str, pool: Pool, requested_by: str, settings: Mapping[str, Any]
) -> None:
    note(
        tx,
        action,
        pool.id,
        merchant_id=pool.merchant_id,
        actor=requested_by,
        settings=dict(settings),
    )
