from collections.abc import Sequence
from uuid import NAMESPACE_OID, UUID, uuid5

from inventory_vault.audit.domain import Fact
from inventory_vault.audit.service import note
from kit.db import Transaction
from kit.keys import on_api_key_changed
from kit.messaging.consumer import Handler, handles
from kit.messaging.events import Event
from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged

ORDER = "service:order"


async def on_key_changed(tx: Transaction, events: Sequence[Event[ApiKeyChanged]]) -> None:
    """The replica of the API keys, and an entry for each change. The hash stays out of it."""
    await on_api_key_changed(tx, events)
    for event in events:
        key = event.message
        scopes: list[Fact] = list(key.scopes)
        allowed_ips: list[Fact] = list(key.allowed_ips)
        note(
            tx,
            "api_key.changed",
            object_of(key.key_id),
            merchant_id=UUID(key.merchant_id) if key.merchant_id else None,
            actor=ORDER,
            key_id=key.key_id,
            version=event.version,
            scopes=scopes,
            expires_at=key.expires_at.ToJsonString() if key.HasField("expires_at") else None,
            revoked_at=key.revoked_at.ToJsonString() if key.HasField("revoked_at") else None,
            suspended_at=key.suspended_at.ToJsonString() if key.HasField("suspended_at") else None,
            allowed_ips=allowed_ips,
        )


def key_handlers() -> list[Handler]:
    return [handles(ApiKeyChanged, on_key_changed)]


def object_of(key_id: str) -> UUID:
    """The object of a key's entries: its id is a text, an object's a UUID."""
    return uuid5(NAMESPACE_OID, f"lockstock-api-key:{key_id}")
