from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from order.merchants.domain import Channel, Merchant

_INSERT_MERCHANT = text("INSERT INTO merchant (id, name) VALUES (:id, :name) RETURNING *")
_ENSURE_MERCHANT = text(
    "INSERT INTO merchant (id, name) VALUES (:id, :name) ON CONFLICT (id) DO NOTHING"
)
_SELECT_MERCHANT = text("SELECT * FROM merchant WHERE id = :id")
_LIST_MERCHANTS = text(
    "SELECT * FROM merchant WHERE CAST(:after AS uuid) IS NULL OR id > :after "
    "ORDER BY id LIMIT :limit"
)
_INSERT_CHANNEL = text(
    "INSERT INTO channel (id, merchant_id, name, kind, is_trusted) "
    "VALUES (:id, :merchant_id, :name, :kind, :is_trusted) RETURNING *"
)
_ENSURE_CHANNEL = text(
    "INSERT INTO channel (id, merchant_id, name, kind, is_trusted) "
    "VALUES (:id, :merchant_id, :name, :kind, :is_trusted) ON CONFLICT (id) DO NOTHING"
)
_LIST_CHANNELS = text(
    "SELECT * FROM channel WHERE merchant_id = :merchant_id "
    "AND (CAST(:after AS uuid) IS NULL OR id > :after) ORDER BY id LIMIT :limit"
)
_SELECT_CHANNELS = text("SELECT * FROM channel WHERE id = ANY(CAST(:ids AS uuid[]))")


async def add_merchant(tx: Transaction, merchant_id: UUID, name: str) -> Merchant:
    row = (await tx.execute(_INSERT_MERCHANT, {"id": merchant_id, "name": name})).one()
    return Merchant(row.id, row.name, row.created_at)


async def ensure_merchant(tx: Transaction, merchant_id: UUID, name: str) -> None:
    await tx.execute(_ENSURE_MERCHANT, {"id": merchant_id, "name": name})


async def find_merchant(tx: Transaction, merchant_id: UUID) -> Merchant | None:
    row = (await tx.execute(_SELECT_MERCHANT, {"id": merchant_id})).one_or_none()
    return Merchant(row.id, row.name, row.created_at) if row else None


async def list_merchants(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Merchant]:
    rows = await tx.execute(_LIST_MERCHANTS, {"after": after, "limit": limit})
    return [Merchant(row.id, row.name, row.created_at) for row in rows]


async def add_channel(
    tx: Transaction, channel_id: UUID, merchant_id: UUID, name: str, kind: str, *, is_trusted: bool
) -> Channel:
    values = {
        "id": channel_id,
        "merchant_id": merchant_id,
        "name": name,
        "kind": kind,
        "is_trusted": is_trusted,
    }
    return _channel((await tx.execute(_INSERT_CHANNEL, values)).one())


async def ensure_channel(
    tx: Transaction, channel_id: UUID, merchant_id: UUID, name: str, kind: str, *, is_trusted: bool
) -> None:
    values = {
        "id": channel_id,
        "merchant_id": merchant_id,
        "name": name,
        "kind": kind,
        "is_trusted": is_trusted,
    }
    await tx.execute(_ENSURE_CHANNEL, values)


async def list_channels(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Channel]:
    values = {"merchant_id": merchant_id, "after": after, "limit": limit}
    return [_channel(row) for row in await tx.execute(_LIST_CHANNELS, values)]


async def find_channels(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Channel]:
    """Those of the channels that exist, in one statement."""
    rows = await tx.execute(_SELECT_CHANNELS, {"ids": list(ids)})
    return {row.id: _channel(row) for row in rows}


def _channel(row: Any) -> Channel:  # a row has no static type
    return Channel(
        row.id,
        row.merchant_id,
        row.name,
        row.kind,
        row.is_trusted,
        row.is_active,
        row.created_at,
    )
