from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text, update

from inventory_vault.pools.domain import Pool, stored_pool
from inventory_vault.pools.tables import pool
from kit.db import Transaction


async def add(tx: Transaction, values: dict[str, Any]) -> Pool:
    row = (await tx.execute(insert(pool).values(**values).returning(*pool.c))).one()
    return stored_pool(row.id, row)


async def change(
    tx: Transaction, merchant_id: UUID, pool_id: UUID, values: dict[str, Any]
) -> Pool | None:
    query = (
        update(pool)
        .where(pool.c.id == pool_id, pool.c.merchant_id == merchant_id)
        .values(**values)
        .returning(*pool.c)
    )
    row = (await tx.execute(query)).one_or_none()
    return stored_pool(row.id, row) if row else None


async def find(tx: Transaction, merchant_id: UUID, pool_id: UUID) -> Pool | None:
    query = select(pool).where(pool.c.id == pool_id, pool.c.merchant_id == merchant_id)
    row = (await tx.execute(query)).one_or_none()
    return stored_pool(row.id, row) if row else None


async def list_of(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> list[Pool]:
    query = select(pool).where(pool.c.merchant_id == merchant_id).order_by(pool.c.id).limit(limit)
    if after is not None:
        query = query.where(pool.c.id > after)
    return [stored_pool(row.id, row) for row in await tx.execute(query)]


async def of(tx: Transaction, pool_ids: Sequence[UUID]) -> list[Pool]:
    query = select(pool).where(pool.c.id.in_(pool_ids)).order_by(pool.c.id)
    return [stored_pool(row.id, row) for row in await tx.execute(query)]


async def lock(tx: Transaction, pool_ids: Sequence[UUID]) -> list[Pool]:
    """The pools, locked until the end of `tx` in the order of their ids: no deadlocks."""
    rows = await tx.execute(_LOCK, {"ids": list(pool_ids)})
    return [stored_pool(row.id, row) for row in rows]


_LOCK = text(
    "SELECT * FROM pool WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE"
)
