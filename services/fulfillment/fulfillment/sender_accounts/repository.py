"""SQL of merchants' senders. Secrets go in sealed and come out for sendings only."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fulfillment.safe import Safe
from fulfillment.sender import SenderAccount
from fulfillment.sender_accounts.domain import ChannelTaken, OwnSender
from fulfillment.templates.domain import Channel
from kit.db import Transaction, constraint_of

_LAST_ID = UUID(int=2**128 - 1)


class SenderAccountRepository:
    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def put(self, tx: Transaction, sender: OwnSender, secret: str | None) -> OwnSender:
        """A new one, or new values of an old one; its secret only when there is a new one. Raises
        ChannelTaken.
        """
        values = {
            "id": sender.id,
            "merchant_id": sender.merchant_id,
            "sender": sender.sender,
            "channel": sender.channel.value,
            "settings": orjson.dumps(dict(sender.settings)).decode(),
            "secret": None if secret is None else self._safe.seal(secret.encode(), sender.id),
            "is_enabled": sender.is_enabled,
        }
        try:
            async with tx.savepoint():
                rows = await tx.execute(_ADD if secret is not None else _CHANGE, values)
        except IntegrityError as error:
            if constraint_of(error) == "uq_sender_account_merchant_id_channel_enabled":
                raise ChannelTaken(channel=sender.channel.value) from error
            raise
        return _sender(rows.one())

    async def find(self, tx: Transaction, merchant_id: UUID, sender_id: UUID) -> OwnSender | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": sender_id})
        row = rows.one_or_none()
        return _sender(row) if row else None

    async def lock(
        self, tx: Transaction, merchant_id: UUID, sender_id: UUID
    ) -> tuple[OwnSender, str] | None:
        """With its secret, and as it is until the transaction ends."""
        rows = await tx.execute(_LOCK, {"merchant_id": merchant_id, "id": sender_id})
        row = rows.one_or_none()
        return (_sender(row), self._secret(row)) if row else None

    async def find_account(
        self, tx: Transaction, sender_id: UUID
    ) -> tuple[UUID, SenderAccount] | None:
        """Whose it is, and the account."""
        row = (await tx.execute(_FIND_ACCOUNT, {"id": sender_id})).one_or_none()
        if row is None:
            return None
        own = _sender(row)
        return own.merchant_id, SenderAccount(own.sender, own.settings, self._secret(row), own.id)

    async def list_senders(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[OwnSender]:
        values = {"merchant_id": merchant_id, "after": after or _LAST_ID, "limit": limit}
        return [_sender(row) for row in await tx.execute(_LIST, values)]

    async def find_enabled(
        self, tx: Transaction, merchant_ids: Sequence[UUID]
    ) -> list[tuple[OwnSender, SenderAccount]]:
        rows = await tx.execute(_ENABLED, {"merchant_id": list(merchant_ids)})
        senders = [(_sender(row), self._secret(row)) for row in rows]
        return [
            (own, SenderAccount(own.sender, own.settings, secret, own.id))
            for own, secret in senders
        ]

    def _secret(self, row: Any) -> str:  # a row has no static type
        return self._safe.open(row.secret, row.id).decode()


def _sender(row: Any) -> OwnSender:  # a row has no static type
    return OwnSender(
        id=row.id,
        merchant_id=row.merchant_id,
        sender=row.sender,
        channel=Channel(row.channel),
        settings=orjson.loads(row.settings_text),
        is_enabled=row.is_enabled,
        created_at=row.created_at,
    )


_COLUMNS = (
    "id, merchant_id, sender, channel, CAST(settings AS text) AS settings_text, secret, "
    "is_enabled, created_at"
)
_ADD = text(
    f"""
    INSERT INTO sender_account (id, merchant_id, sender, channel, settings, secret, is_enabled)
    VALUES (:id, :merchant_id, :sender, :channel, CAST(:settings AS jsonb), :secret, :is_enabled)
    ON CONFLICT (id) DO UPDATE SET settings = EXCLUDED.settings, secret = EXCLUDED.secret,
        is_enabled = EXCLUDED.is_enabled
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_CHANGE = text(
    f"""
    UPDATE sender_account SET settings = CAST(:settings AS jsonb), is_enabled = :is_enabled
    WHERE id = :id AND merchant_id = :merchant_id RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_READ = f"SELECT {_COLUMNS} FROM sender_account"  # noqa: S608 - column names of this file
_GET = text(_READ + " WHERE merchant_id = :merchant_id AND id = :id")
_LOCK = text(_READ + " WHERE merchant_id = :merchant_id AND id = :id FOR UPDATE")
_LIST = text(
    _READ + " WHERE merchant_id = :merchant_id AND id < :after ORDER BY id DESC LIMIT :limit"
)
_FIND_ACCOUNT = text(_READ + " WHERE id = :id")
_ENABLED = text(_READ + " WHERE merchant_id = ANY(CAST(:merchant_id AS uuid[])) AND is_enabled")
