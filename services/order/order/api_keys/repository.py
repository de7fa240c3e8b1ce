from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from order.api_keys.domain import ApiKey

_SELECT = (
    "SELECT k.key_id, k.merchant_id, i.name, i.mode, k.scopes, k.secret_hash, i.created_at, "
    "k.expires_at, k.revoked_at, i.role, k.allowed_ips, k.suspended_at, k.last_used_at, "
    "k.family "
)
_KEYS = _SELECT + "FROM issued_key i JOIN api_key k USING (key_id) "
_LOCK_NAME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 7101))")
_COUNT_LIVE = text(
    "SELECT count(*) FROM issued_key i JOIN api_key k USING (key_id) "
    "WHERE i.merchant_id IS NOT DISTINCT FROM CAST(:merchant_id AS uuid) AND i.name = :name "
    "AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())"
)
_OLDEST_LIVE = text(
    "SELECT k.key_id FROM issued_key i JOIN api_key k USING (key_id) "
    "WHERE i.merchant_id IS NOT DISTINCT FROM CAST(:merchant_id AS uuid) AND i.name = :name "
    "AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp()) "
    "ORDER BY i.created_at, k.key_id LIMIT 1"
)
_FAMILY = text(
    "SELECT coalesce(k.family, k.key_id) FROM issued_key i JOIN api_key k USING (key_id) "
    "WHERE i.merchant_id IS NOT DISTINCT FROM CAST(:merchant_id AS uuid) AND i.name = :name "
    "AND i.mode = :mode ORDER BY i.created_at DESC, k.key_id DESC LIMIT 1"
)
_INSERT = text(
    "WITH k AS (INSERT INTO api_key (key_id, merchant_id, secret_hash, scopes, expires_at, "  # noqa: S608 - constant parts
    "allowed_ips, suspended_at, family) VALUES (:key_id, :merchant_id, :secret_hash, :scopes, "
    ":expires_at, :allowed_ips, :suspended_at, :family) RETURNING *), "
    "i AS (INSERT INTO issued_key (key_id, merchant_id, name, mode, created_by, role) "
    "VALUES (:key_id, :merchant_id, :name, :mode, :created_by, :role) RETURNING *) "
    + _SELECT
    + "FROM k, i"
)
_EXPIRY = text("SELECT expires_at FROM api_key WHERE key_id = :key_id")
_FIND = text(_KEYS + "WHERE i.key_id = :key_id")
_LOCK = text(_KEYS + "WHERE i.key_id = :key_id FOR NO KEY UPDATE OF k, i")
_UPDATE = text(
    "WITH i AS (UPDATE issued_key SET role = :role WHERE key_id = :key_id RETURNING *), "  # noqa: S608 - constant parts
    "k AS (UPDATE api_key SET scopes = :scopes, allowed_ips = :allowed_ips "
    "WHERE key_id = :key_id RETURNING *) " + _SELECT + "FROM k, i"
)
_SUSPEND = text(
    "WITH k AS (UPDATE api_key a SET suspended_at = CAST(:suspended_at AS timestamptz) "  # noqa: S608 - constant parts
    "FROM issued_key o WHERE o.merchant_id = :merchant_id AND a.key_id = o.key_id "
    "AND a.revoked_at IS NULL "
    "AND a.suspended_at IS DISTINCT FROM CAST(:suspended_at AS timestamptz) RETURNING a.*) "
    + _SELECT
    + "FROM k JOIN issued_key i USING (key_id)"
)
_LIST = text(
    _KEYS + "WHERE i.merchant_id IS NOT DISTINCT FROM CAST(:merchant_id AS uuid) "
    "AND (CAST(:at AS timestamptz) IS NULL "
    "OR (i.created_at, i.key_id) > (CAST(:at AS timestamptz), CAST(:key_id AS text))) "
    "ORDER BY i.created_at, i.key_id LIMIT :limit"
)
_REVOKE = text(
    "UPDATE api_key SET revoked_at = clock_timestamp() "
    "WHERE key_id = :key_id AND revoked_at IS NULL"
)


async def lock_name(tx: Transaction, merchant_id: UUID | None, name: str) -> None:
    """Two callers at once cannot both become the second live key of this name."""
    await tx.execute(_LOCK_NAME, {"name": f"{merchant_id}:{name}"})


async def count_live(tx: Transaction, merchant_id: UUID | None, name: str) -> int:
    result = await tx.execute(_COUNT_LIVE, {"merchant_id": merchant_id, "name": name})
    return int(result.scalar_one())


async def find_oldest_live(tx: Transaction, merchant_id: UUID | None, name: str) -> str | None:
    result = await tx.execute(_OLDEST_LIVE, {"merchant_id": merchant_id, "name": name})
    key_id: str | None = result.scalar_one_or_none()
    return key_id


async def find_family(
    tx: Transaction, merchant_id: UUID | None, name: str, mode: str
) -> str | None:
    """Of the last key of this name, live or not; None when there was none."""
    values = {"merchant_id": merchant_id, "name": name, "mode": mode}
    family: str | None = (await tx.execute(_FAMILY, values)).scalar_one_or_none()
    return family


async def add(
    tx: Transaction,
    *,
    key_id: str,
    secret_hash: bytes,
    merchant_id: UUID | None,
    name: str,
    mode: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    created_by: str,
    role: str | None,
    allowed_ips: Sequence[str],
    suspended_at: datetime | None,
    family: str | None,
) -> ApiKey:
    values = {
        "key_id": key_id,
        "secret_hash": secret_hash,
        "merchant_id": merchant_id,
        "name": name,
        "mode": mode,
        "scopes": list(scopes),
        "expires_at": expires_at,
        "created_by": created_by,
        "role": role,
        "allowed_ips": list(allowed_ips),
        "suspended_at": suspended_at,
        "family": family,
    }
    return _key((await tx.execute(_INSERT, values)).one())


async def find(tx: Transaction, key_id: str) -> ApiKey | None:
    row = (await tx.execute(_FIND, {"key_id": key_id})).one_or_none()
    return _key(row) if row else None


async def expiry_of(tx: Transaction, key_id: str) -> datetime | None:
    """When a key ends; None for never."""
    expires_at: datetime | None = (
        await tx.execute(_EXPIRY, {"key_id": key_id})
    ).scalar_one_or_none()
    return expires_at


async def lock(tx: Transaction, key_id: str) -> ApiKey | None:
    row = (await tx.execute(_LOCK, {"key_id": key_id})).one_or_none()
    return _key(row) if row else None


async def update(tx: Transaction, key: ApiKey) -> ApiKey:
    """Writes scopes, role and networks of a locked key."""
    values = {
        "key_id": key.id,
        "role": key.role,
        "scopes": list(key.scopes),
        "allowed_ips": list(key.allowed_ips),
    }
    return _key((await tx.execute(_UPDATE, values)).one())


async def suspend(
    tx: Transaction, merchant_id: UUID, suspended_at: datetime | None
) -> Sequence[ApiKey]:
    """The merchant's keys whose suspension changed; None ends it."""
    values = {"merchant_id": merchant_id, "suspended_at": suspended_at}
    return [_key(row) for row in await tx.execute(_SUSPEND, values)]


async def list_keys(
    tx: Transaction, merchant_id: UUID | None, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[ApiKey]:
    at, key_id = after or (None, None)
    values = {"merchant_id": merchant_id, "at": at, "key_id": key_id, "limit": limit}
    return [_key(row) for row in await tx.execute(_LIST, values)]


async def revoke(tx: Transaction, key_id: str) -> bool:
    """False when it was revoked before."""
    return (await tx.execute(_REVOKE, {"key_id": key_id})).rowcount > 0


def _key(row: Any) -> ApiKey:  # a row has no static type
    return ApiKey(
        row.key_id,
        row.merchant_id,
        row.name,
        row.mode,
        tuple(row.scopes),
        row.secret_hash,
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.role,
        tuple(row.allowed_ips),
        row.suspended_at,
        row.last_used_at,
        row.family,
    )
