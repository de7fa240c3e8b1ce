from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from order.payment_accounts.domain import PaymentAccount

# The merchant's row is locked, so that the limit holds for calls at the same time.
_COUNT = text(
    "WITH held AS (SELECT id FROM merchant WHERE id = :merchant_id FOR NO KEY UPDATE) "
    "SELECT count(a.id) FROM held JOIN payment_account a ON a.merchant_id = held.id"
)
_INSERT = text(
    "INSERT INTO payment_account (id, merchant_id, provider, name, settings, secret_names, key_id, "
    "sealed) VALUES (:id, :merchant_id, :provider, :name, CAST(:settings AS jsonb), "
    "CAST(:secret_names AS text[]), :key_id, :sealed) RETURNING *"
)
_FIND = text("SELECT * FROM payment_account WHERE id = :id")
_LOCK = text("SELECT * FROM payment_account WHERE id = :id FOR UPDATE")
_LIST = text(
    "SELECT * FROM payment_account WHERE merchant_id = :merchant_id "
    "AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) ORDER BY id LIMIT :limit"
)
_OF_MERCHANT = text(
    "SELECT * FROM payment_account WHERE merchant_id = :merchant_id AND provider = :provider "
    "AND is_active ORDER BY id LIMIT 2"
)
_OF_PROVIDER = text(
    "SELECT * FROM payment_account WHERE provider = :provider AND is_active "
    "AND settings @> CAST(:settings AS jsonb) ORDER BY id LIMIT 2"
)
_UPDATE = text(
    "UPDATE payment_account SET name = :name, settings = CAST(:settings AS jsonb), "
    "secret_names = CAST(:secret_names AS text[]), key_id = :key_id, sealed = :sealed, "
    "is_active = :is_active, updated_at = clock_timestamp() WHERE id = :id RETURNING *"
)
_TAKE_OLD = text(
    "SELECT * FROM payment_account WHERE key_id <> :key_id ORDER BY id LIMIT :limit "
    "FOR UPDATE SKIP LOCKED"
)


async def count(tx: Transaction, merchant_id: UUID) -> int:
    """How many the merchant has; no other is made until the transaction ends."""
    return int((await tx.execute(_COUNT, {"merchant_id": merchant_id})).scalar_one())


async def add(
    tx: Transaction,
    account_id: UUID,
    merchant_id: UUID,
    *,
    provider: str,
    name: str,
    settings: Mapping[str, str],
    secret_names: Sequence[str],
    key_id: str,
    sealed: bytes,
) -> PaymentAccount:
    values = {
        "id": account_id,
        "merchant_id": merchant_id,
        "provider": provider,
        "name": name,
        "settings": orjson.dumps(dict(settings)).decode(),
        "secret_names": list(secret_names),
        "key_id": key_id,
        "sealed": sealed,
    }
    return _account((await tx.execute(_INSERT, values)).one())


async def find(tx: Transaction, account_id: UUID) -> PaymentAccount | None:
    row = (await tx.execute(_FIND, {"id": account_id})).one_or_none()
    return _account(row) if row else None


async def lock(tx: Transaction, account_id: UUID) -> PaymentAccount | None:
    row = (await tx.execute(_LOCK, {"id": account_id})).one_or_none()
    return _account(row) if row else None


async def list_accounts(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[PaymentAccount]:
    values = {"merchant_id": merchant_id, "after": after, "limit": limit}
    return [_account(row) for row in await tx.execute(_LIST, values)]


async def list_of_merchant(
    tx: Transaction, merchant_id: UUID, provider: str
) -> Sequence[PaymentAccount]:
    """The active ones, two at most: enough to see whether it is the only one."""
    values = {"merchant_id": merchant_id, "provider": provider}
    return [_account(row) for row in await tx.execute(_OF_MERCHANT, values)]


async def list_of_provider(
    tx: Transaction, provider: str, settings: Mapping[str, str]
) -> Sequence[PaymentAccount]:
    """The active ones with these settings, whoever's, two at most."""
    values = {"provider": provider, "settings": orjson.dumps(dict(settings)).decode()}
    return [_account(row) for row in await tx.execute(_OF_PROVIDER, values)]


async def update(tx: Transaction, account: PaymentAccount) -> PaymentAccount:
    values = {
        "id": account.id,
        "name": account.name,
        "settings": orjson.dumps(dict(account.settings)).decode(),
        "secret_names": list(account.secret_names),
        "key_id": account.key_id,
        "sealed": account.sealed,
        "is_active": account.is_active,
    }
    return _account((await tx.execute(_UPDATE, values)).one())


async def take_sealed_otherwise(
    tx: Transaction, key_id: str, limit: int
) -> Sequence[PaymentAccount]:
    """Accounts whose secrets are sealed under another key than this, locked."""
    return [
        _account(row) for row in await tx.execute(_TAKE_OLD, {"key_id": key_id, "limit": limit})
    ]


def _account(row: Any) -> PaymentAccount:  # a row has no static type
    return PaymentAccount(
        id=row.id,
        merchant_id=row.merchant_id,
        provider=row.provider,
        name=row.name,
        settings=row.settings,
        secret_names=tuple(row.secret_names),
        is_active=row.is_active,
        key_id=row.key_id,
        sealed=bytes(row.sealed),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
