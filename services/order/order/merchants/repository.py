from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from order.merchants.domain import (
    Channel,
    FeeBearer,
    FeeOnRefund,
    FeeRule,
    LatePayments,
    Merchant,
    RiskDefault,
)

_INSERT_MERCHANT = text("INSERT INTO merchant (id, name) VALUES (:id, :name) RETURNING *")
_ENSURE_MERCHANT = text(
    "INSERT INTO merchant (id, name) VALUES (:id, :name) ON CONFLICT (id) DO NOTHING"
)
_SELECT_MERCHANT = text("SELECT * FROM merchant WHERE id = :id")
# A suspension waits for those who act for the merchant as it is, and they for it.
_LOCK_MERCHANT = text("SELECT * FROM merchant WHERE id = :id FOR SHARE")
_LIST_MERCHANTS = text(
    "SELECT * FROM merchant WHERE CAST(:after AS uuid) IS NULL OR id > :after "
    "ORDER BY id LIMIT :limit"
)
_RENAME_MERCHANT = text(
    "UPDATE merchant SET name = coalesce(CAST(:name AS text), name) WHERE id = :id RETURNING *"
)
_SUSPEND_MERCHANT = text(
    "UPDATE merchant SET suspended_at = coalesce(suspended_at, clock_timestamp()), "
    "suspended_reason = CASE WHEN suspended_at IS NULL THEN :reason ELSE suspended_reason END "
    "WHERE id = :id RETURNING *"
)
_RESUME_MERCHANT = text(
    "UPDATE merchant SET suspended_at = NULL, suspended_reason = '' WHERE id = :id RETURNING *"
)
_SET_SHORTAGE = text("UPDATE merchant SET shortage = CAST(:shortage AS jsonb) WHERE id = :id")
_FIND_SHORTAGE = text("SELECT shortage FROM merchant WHERE id = :id")
_INSERT_CHANNEL = text(
    "INSERT INTO channel (id, merchant_id, name, kind, is_trusted) "
    "VALUES (:id, :merchant_id, :name, :kind, :is_trusted) RETURNING *, false AS is_suspended, "
    "(SELECT m.shortage FROM merchant m WHERE m.id = :merchant_id) AS merchant_shortage"
)
_ENSURE_CHANNEL = text(
    "INSERT INTO channel (id, merchant_id, name, kind, is_trusted) "
    "VALUES (:id, :merchant_id, :name, :kind, :is_trusted) ON CONFLICT (id) DO NOTHING"
)
_UPDATE_CHANNEL = text(
    "UPDATE channel SET name = :name, kind = :kind, is_trusted = :is_trusted, "
    "is_active = :is_active, price_list_id = :price_list_id, "
    "fee_basis_points = :fee_basis_points, fee_fixed_minor = :fee_fixed_minor, "
    "fee_bearer = :fee_bearer, fee_on_refund = :fee_on_refund, "
    "allowed_skus = :allowed_skus, denied_skus = :denied_skus, "
    "region = :region, min_valid_seconds = :min_valid_seconds, late_payments = :late_payments, "
    "shortage = CAST(:shortage AS jsonb), risk_default = :risk_default, "
    "risk_wait_seconds = :risk_wait_seconds "
    "WHERE id = :id AND merchant_id = :merchant_id"
)
_CHANNELS = (
    "SELECT c.*, m.suspended_at IS NOT NULL AS is_suspended, m.shortage AS merchant_shortage "
    "FROM channel c JOIN merchant m ON m.id = c.merchant_id "
)
_LIST_CHANNELS = text(
    _CHANNELS + "WHERE c.merchant_id = :merchant_id "
    "AND (CAST(:after AS uuid) IS NULL OR c.id > :after) ORDER BY c.id LIMIT :limit"
)
_SELECT_CHANNELS = text(_CHANNELS + "WHERE c.id = ANY(CAST(:ids AS uuid[]))")
_LOCK_CHANNEL = text(
    _CHANNELS + "WHERE c.id = :id AND c.merchant_id = :merchant_id FOR NO KEY UPDATE OF c"
)


async def add_merchant(tx: Transaction, merchant_id: UUID, name: str) -> Merchant:
    return _merchant((await tx.execute(_INSERT_MERCHANT, {"id": merchant_id, "name": name})).one())


async def ensure_merchant(tx: Transaction, merchant_id: UUID, name: str) -> None:
    await tx.execute(_ENSURE_MERCHANT, {"id": merchant_id, "name": name})


async def find_merchant(tx: Transaction, merchant_id: UUID) -> Merchant | None:
    row = (await tx.execute(_SELECT_MERCHANT, {"id": merchant_id})).one_or_none()
    return _merchant(row) if row else None


async def lock_merchant(tx: Transaction, merchant_id: UUID) -> Merchant | None:
    """As it will be until the end of `tx`."""
    row = (await tx.execute(_LOCK_MERCHANT, {"id": merchant_id})).one_or_none()
    return _merchant(row) if row else None


async def list_merchants(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Merchant]:
    rows = await tx.execute(_LIST_MERCHANTS, {"after": after, "limit": limit})
    return [_merchant(row) for row in rows]


async def rename_merchant(tx: Transaction, merchant_id: UUID, name: str | None) -> Merchant | None:
    row = (await tx.execute(_RENAME_MERCHANT, {"id": merchant_id, "name": name})).one_or_none()
    return _merchant(row) if row else None


async def suspend_merchant(tx: Transaction, merchant_id: UUID, reason: str) -> Merchant | None:
    """The first time and reason stay."""
    values = {"id": merchant_id, "reason": reason}
    row = (await tx.execute(_SUSPEND_MERCHANT, values)).one_or_none()
    return _merchant(row) if row else None


async def resume_merchant(tx: Transaction, merchant_id: UUID) -> Merchant | None:
    row = (await tx.execute(_RESUME_MERCHANT, {"id": merchant_id})).one_or_none()
    return _merchant(row) if row else None


async def set_shortage(
    tx: Transaction, merchant_id: UUID, shortage: Mapping[str, Any] | None
) -> None:
    await tx.execute(_SET_SHORTAGE, {"id": merchant_id, "shortage": _document(shortage)})


async def find_shortage(tx: Transaction, merchant_id: UUID) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = (
        await tx.execute(_FIND_SHORTAGE, {"id": merchant_id})
    ).scalar_one_or_none()
    return found


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


async def update_channel(tx: Transaction, channel: Channel) -> None:
    """Writes a locked channel."""
    await tx.execute(_UPDATE_CHANNEL, _values(channel))


async def list_channels(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Channel]:
    values = {"merchant_id": merchant_id, "after": after, "limit": limit}
    return [_channel(row) for row in await tx.execute(_LIST_CHANNELS, values)]


async def find_channels(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Channel]:
    """Those of the channels that exist, in one statement."""
    rows = await tx.execute(_SELECT_CHANNELS, {"ids": list(ids)})
    return {row.id: _channel(row) for row in rows}


async def lock_channel(tx: Transaction, merchant_id: UUID, channel_id: UUID) -> Channel | None:
    values = {"id": channel_id, "merchant_id": merchant_id}
    row = (await tx.execute(_LOCK_CHANNEL, values)).one_or_none()
    return _channel(row) if row else None


def _values(channel: Channel) -> dict[str, Any]:
    return {
        "id": channel.id,
        "merchant_id": channel.merchant_id,
        "name": channel.name,
        "kind": channel.kind,
        "is_trusted": channel.is_trusted,
        "is_active": channel.is_active,
        "price_list_id": channel.price_list_id,
        "fee_basis_points": channel.fee.basis_points,
        "fee_fixed_minor": channel.fee.fixed_minor,
        "fee_bearer": channel.fee.bearer.value,
        "fee_on_refund": channel.fee.on_refund.value,
        "allowed_skus": sorted(channel.allowed_skus),
        "denied_skus": sorted(channel.denied_skus),
        "region": channel.region,
        "min_valid_seconds": channel.min_valid_seconds,
        "late_payments": channel.late_payments.value,
        "shortage": _document(channel.shortage),
        "risk_default": channel.risk_default.value,
        "risk_wait_seconds": channel.risk_wait_seconds,
    }


def _document(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _merchant(row: Any) -> Merchant:  # a row has no static type
    return Merchant(
        row.id,
        row.name,
        row.created_at,
        row.suspended_at,
        row.suspended_reason,
    )


def _channel(row: Any) -> Channel:  # a row has no static type
    return Channel(
        id=row.id,
        merchant_id=row.merchant_id,
        name=row.name,
        kind=row.kind,
        is_trusted=row.is_trusted,
        is_active=row.is_active,
        created_at=row.created_at,
        price_list_id=row.price_list_id,
        fee=FeeRule(
            row.fee_basis_points,
            row.fee_fixed_minor,
            FeeBearer(row.fee_bearer),
            FeeOnRefund(row.fee_on_refund),
        ),
        allowed_skus=frozenset(row.allowed_skus),
        denied_skus=frozenset(row.denied_skus),
        region=row.region,
        min_valid_seconds=row.min_valid_seconds,
        late_payments=LatePayments(row.late_payments),
        risk_default=RiskDefault(row.risk_default),
        risk_wait_seconds=row.risk_wait_seconds,
        is_suspended=row.is_suspended,
        shortage=row.shortage,
        merchant_shortage=row.merchant_shortage,
    )
