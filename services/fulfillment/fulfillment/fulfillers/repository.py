"""SQL of merchants' fulfillers. Secrets go in sealed and come out for calls only."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fulfillment.fulfillers.domain import Fulfiller, FulfillerNameTaken, Station
from fulfillment.safe import Safe
from fulfillment.webhook_signatures import Scheme, SigningKey
from kit.db import Transaction, constraint_of

_LAST_ID = UUID(int=2**128 - 1)


class FulfillerRepository:
    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def add(self, tx: Transaction, fulfiller: Fulfiller, key: SigningKey) -> Fulfiller:
        """Raises FulfillerNameTaken."""
        try:
            async with tx.savepoint():
                rows = await tx.execute(_ADD, self._values(fulfiller, key))
        except IntegrityError as error:
            if constraint_of(error) == "uq_fulfiller_merchant_id_name":
                raise FulfillerNameTaken(name=fulfiller.name) from error
            raise
        return _fulfiller(rows.one())

    async def change(
        self, tx: Transaction, fulfiller: Fulfiller, key: SigningKey | None
    ) -> Fulfiller:
        """Writes its values; its secret only when there is a new one."""
        return _fulfiller((await tx.execute(_CHANGE, self._values(fulfiller, key))).one())

    async def lock(
        self, tx: Transaction, merchant_id: UUID, fulfiller_id: UUID
    ) -> Fulfiller | None:
        rows = await tx.execute(_LOCK, {"merchant_id": merchant_id, "id": fulfiller_id})
        row = rows.one_or_none()
        return _fulfiller(row) if row else None

    async def find(
        self, tx: Transaction, merchant_id: UUID, fulfiller_id: UUID
    ) -> Fulfiller | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": fulfiller_id})
        row = rows.one_or_none()
        return _fulfiller(row) if row else None

    async def list_fulfillers(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[Fulfiller]:
        """The newest first."""
        values = {"merchant_id": merchant_id, "after": after or _LAST_ID, "limit": limit}
        return [_fulfiller(row) for row in await tx.execute(_LIST, values)]

    async def find_named(
        self, tx: Transaction, wanted: Sequence[tuple[UUID, str]]
    ) -> Mapping[tuple[UUID, str], Station]:
        """By merchant and name, each with its key."""
        rows = await tx.execute(
            _FIND_NAMED,
            {"merchant_id": [each for each, _ in wanted], "name": [name for _, name in wanted]},
        )
        return {
            (row.merchant_id, row.name): Station(
                _fulfiller(row), SigningKey(Scheme.HMAC, self._safe.open(row.secret, row.id))
            )
            for row in rows
        }

    def _values(self, fulfiller: Fulfiller, key: SigningKey | None) -> dict[str, Any]:
        return {
            **{field: getattr(fulfiller, field) for field in _FIELDS},
            "secret": None if key is None else self._safe.seal(key.raw, fulfiller.id),
        }


_FIELDS = (
    "id",
    "merchant_id",
    "name",
    "url",
    "timeout_seconds",
    "deadline_seconds",
    "queue",
    "is_enabled",
)


def _fulfiller(row: Any) -> Fulfiller:  # a row has no static type
    return Fulfiller(**{field: getattr(row, field) for field in _FIELDS}, created_at=row.created_at)


_ADD = text(
    """
    INSERT INTO fulfiller (id, merchant_id, name, url, secret, timeout_seconds, deadline_seconds,
                           queue, is_enabled)
    VALUES (:id, :merchant_id, :name, :url, :secret, :timeout_seconds, :deadline_seconds,
            :queue, :is_enabled)
    RETURNING *
    """
)
_CHANGE = text(
    """
    UPDATE fulfiller SET url = :url, timeout_seconds = :timeout_seconds,
        deadline_seconds = :deadline_seconds, queue = :queue, is_enabled = :is_enabled,
        secret = coalesce(CAST(:secret AS bytea), secret)
    WHERE id = :id RETURNING *
    """
)
_READ = "SELECT * FROM fulfiller WHERE merchant_id = :merchant_id"
_GET = text(_READ + " AND id = :id")
_LOCK = text(_READ + " AND id = :id FOR UPDATE")
_LIST = text(_READ + " AND id < :after ORDER BY id DESC LIMIT :limit")
_FIND_NAMED = text(
    """
    SELECT * FROM fulfiller
    WHERE (merchant_id, name) IN (
        SELECT * FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:name AS text[])))
    """
)
