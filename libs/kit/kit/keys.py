"""Keeps a service's replica of the API keys: the consumer of ApiKeyChanged.

Every service but `order` (which owns the keys and writes its table itself) subscribes this handler.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text

from kit.db import Transaction
from kit.messaging.consumer import Handler, handles
from kit.messaging.events import Event
from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged


async def on_api_key_changed(tx: Transaction, events: Sequence[Event[ApiKeyChanged]]) -> None:
    """Upserts the keys; an older version never overwrites a newer one, a revoked key stays
    revoked.
    """
    for event in events:
        key = event.message
        await tx.execute(
            UPSERT_KEY,
            {
                "key_id": key.key_id,
                "merchant_id": UUID(key.merchant_id) if key.merchant_id else None,
                "secret_hash": key.secret_hash,
                "scopes": list(key.scopes),
                "expires_at": _moment(key.expires_at, is_set=key.HasField("expires_at")),
                "revoked_at": _moment(key.revoked_at, is_set=key.HasField("revoked_at")),
                "suspended_at": _moment(key.suspended_at, is_set=key.HasField("suspended_at")),
                "allowed_ips": list(key.allowed_ips),
                "version": event.version,
            },
        )
        if key.family:
            await tx.execute(_NOTE_FAMILY, {"key_id": key.key_id, "family": key.family})


def replica_handlers() -> list[Handler]:
    return [handles(ApiKeyChanged, on_api_key_changed)]


def _moment(value: Timestamp, *, is_set: bool) -> datetime | None:
    if not is_set:
        return None
    return value.ToDatetime(tzinfo=UTC)


UPSERT_KEY = text(
    "INSERT INTO api_key (key_id, merchant_id, secret_hash, scopes, expires_at, revoked_at, "
    "suspended_at, allowed_ips, version) VALUES (:key_id, :merchant_id, :secret_hash, :scopes, "
    ":expires_at, :revoked_at, :suspended_at, :allowed_ips, :version) "
    "ON CONFLICT (key_id) DO UPDATE SET scopes = excluded.scopes, expires_at = "
    "excluded.expires_at, "
    "revoked_at = coalesce(api_key.revoked_at, excluded.revoked_at), "
    "suspended_at = excluded.suspended_at, allowed_ips = excluded.allowed_ips, "
    "version = excluded.version WHERE api_key.version < excluded.version"
)
# A key is issued as a successor, or it never becomes one.
_NOTE_FAMILY = text("UPDATE api_key SET family = :family WHERE key_id = :key_id AND family IS NULL")
