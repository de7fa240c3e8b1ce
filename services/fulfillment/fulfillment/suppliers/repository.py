"""SQL of suppliers' accounts. Secrets go in sealed and come out for calls only."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.exc import IntegrityError

from fulfillment.safe import Safe
from fulfillment.suppliers.domain import Secrets, Supplier, SupplierNameTaken, Times
from kit.db import Transaction, constraint_of

_LAST_ID = UUID(int=2**128 - 1)


class SupplierRepository:
    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def add(self, tx: Transaction, supplier: Supplier, secrets: Secrets) -> Supplier:
        """Raises SupplierNameTaken."""
        try:
            async with tx.savepoint():
                rows = await tx.execute(_ADD, self._values(supplier, secrets))
        except IntegrityError as error:
            if constraint_of(error) == "uq_supplier_merchant_id_name":
                raise SupplierNameTaken(name=supplier.name) from error
            raise
        return _supplier(rows.one())

    async def change(
        self, tx: Transaction, supplier: Supplier, secrets: Secrets, overlap: timedelta
    ) -> Supplier:
        """Writes the supplier's values. A former secret is kept for `overlap`; where there is none
        the one that is kept stays.
        """
        former = self._sealed(secrets.former, _formerly(supplier.id))
        values = {
            **self._values(supplier, secrets),
            "is_rotated": former is not None,
            "former": former if overlap else None,
            "overlap": overlap,
        }
        rows = await tx.execute(_CHANGE, values)
        return _supplier(rows.one())

    async def lock(
        self, tx: Transaction, merchant_id: UUID, supplier_id: UUID
    ) -> tuple[Supplier, Secrets] | None:
        rows = await tx.execute(_LOCK, {"merchant_id": merchant_id, "id": supplier_id})
        row = rows.one_or_none()
        return (_supplier(row), self._secrets(row)) if row else None

    async def find(self, tx: Transaction, merchant_id: UUID, supplier_id: UUID) -> Supplier | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": supplier_id})
        row = rows.one_or_none()
        return _supplier(row) if row else None

    async def list_suppliers(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[Supplier]:
        """The newest first."""
        values = {"merchant_id": merchant_id, "after": after or _LAST_ID, "limit": limit}
        return [_supplier(row) for row in await tx.execute(_LIST, values)]

    async def find_named(
        self, tx: Transaction, wanted: Sequence[tuple[UUID, str]]
    ) -> Mapping[tuple[UUID, str], tuple[Supplier, Secrets]]:
        """By merchant and name, each with its secrets."""
        return await self._named(tx, _FIND_NAMED, wanted)

    async def hold_named(
        self, tx: Transaction, wanted: Sequence[tuple[UUID, str]]
    ) -> Mapping[tuple[UUID, str], tuple[Supplier, Secrets]]:
        """The same, and none of them changes before this transaction ends."""
        return await self._named(tx, _HOLD_NAMED, wanted)

    async def _named(
        self, tx: Transaction, statement: TextClause, wanted: Sequence[tuple[UUID, str]]
    ) -> Mapping[tuple[UUID, str], tuple[Supplier, Secrets]]:
        rows = await tx.execute(
            statement,
            {"merchant_id": [each for each, _ in wanted], "name": [name for _, name in wanted]},
        )
        return {(row.merchant_id, row.name): (_supplier(row), self._secrets(row)) for row in rows}

    async def has_open_purchases(self, tx: Transaction, supplier: Supplier) -> bool:
        """Whether a call went there of which nobody knows what came of it."""
        values = {"merchant_id": supplier.merchant_id, "name": supplier.name}
        return bool((await tx.execute(_HAS_OPEN_PURCHASES, values)).scalar_one())

    async def find_called(
        self, tx: Transaction, supplier_id: UUID
    ) -> tuple[Supplier, Secrets] | None:
        """Whoever's it is: the one that a callback names, with its secrets."""
        row = (await tx.execute(_FIND_CALLED, {"id": supplier_id})).one_or_none()
        return (_supplier(row), self._secrets(row)) if row else None

    def _values(self, supplier: Supplier, secrets: Secrets) -> dict[str, Any]:
        return {
            "id": supplier.id,
            "merchant_id": supplier.merchant_id,
            "name": supplier.name,
            "connector": supplier.connector,
            "base_url": supplier.base_url,
            "account_id": supplier.account_id,
            "secret": self._sealed(secrets.calls, supplier.id),
            "callback_secret": self._sealed(secrets.callback, _for_callbacks(supplier.id)),
            "options": orjson.dumps(dict(supplier.options)).decode(),
            "timeout_seconds": supplier.times.timeout_seconds,
            "visibility_delay_seconds": supplier.times.visibility_delay_seconds,
            "unknown_ttl_seconds": supplier.times.unknown_ttl_seconds,
            "is_enabled": supplier.is_enabled,
        }

    def _sealed(self, secret: str | None, row_id: UUID) -> bytes | None:
        return None if secret is None else self._safe.seal(secret.encode(), row_id)

    def _secrets(self, row: Any) -> Secrets:  # a row has no static type
        return Secrets(
            self._opened(row.secret, row.id),
            self._opened(row.callback_secret, _for_callbacks(row.id)),
            self._opened(row.former_callback_secret, _formerly(row.id)),
        )

    def _opened(self, sealed: bytes | None, row_id: UUID) -> str | None:
        return None if sealed is None else self._safe.open(sealed, row_id).decode()


def _for_callbacks(supplier_id: UUID) -> UUID:
    """So that neither secret opens in the other's place."""
    return uuid5(supplier_id, "callback_secret")


def _formerly(supplier_id: UUID) -> UUID:
    return uuid5(supplier_id, "former_callback_secret")


def _supplier(row: Any) -> Supplier:  # a row has no static type
    return Supplier(
        id=row.id,
        merchant_id=row.merchant_id,
        name=row.name,
        connector=row.connector,
        base_url=row.base_url,
        account_id=row.account_id,
        times=Times(row.timeout_seconds, row.visibility_delay_seconds, row.unknown_ttl_seconds),
        is_enabled=row.is_enabled,
        options=orjson.loads(row.options),
        has_callback_secret=row.has_callback_secret,
        former_callback_until=row.former_callback_until,
        created_at=row.created_at,
    )


_COLUMNS = (
    "id, merchant_id, name, connector, base_url, account_id, timeout_seconds, "
    "visibility_delay_seconds, unknown_ttl_seconds, is_enabled, created_at, "
    "CAST(options AS text) AS options, callback_secret IS NOT NULL AS has_callback_secret, "
    "CASE WHEN former_callback_until > clock_timestamp() THEN former_callback_until END "
    "AS former_callback_until"
)
_SECRETS = (
    "secret, callback_secret, CASE WHEN former_callback_until > clock_timestamp() "
    "THEN former_callback_secret END AS former_callback_secret"
)
_ADD = text(
    f"""
    INSERT INTO supplier (id, merchant_id, name, connector, base_url, account_id, secret,
        callback_secret, options,
        timeout_seconds, visibility_delay_seconds, unknown_ttl_seconds, is_enabled)
    VALUES (:id, :merchant_id, :name, :connector, :base_url, :account_id, :secret,
        :callback_secret, CAST(:options AS jsonb),
        :timeout_seconds, :visibility_delay_seconds, :unknown_ttl_seconds, :is_enabled)
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_CHANGE = text(
    f"""
    UPDATE supplier SET base_url = :base_url, account_id = :account_id, secret = :secret,
        callback_secret = :callback_secret,
        former_callback_secret = CASE WHEN :is_rotated THEN CAST(:former AS bytea)
                                      ELSE former_callback_secret END,
        former_callback_until = CASE
            WHEN NOT :is_rotated THEN former_callback_until
            WHEN CAST(:former AS bytea) IS NOT NULL
            THEN clock_timestamp() + CAST(:overlap AS interval) END,
        options = CAST(:options AS jsonb), timeout_seconds = :timeout_seconds,
        visibility_delay_seconds = :visibility_delay_seconds,
        unknown_ttl_seconds = :unknown_ttl_seconds, is_enabled = :is_enabled
    WHERE id = :id RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_READ = f"SELECT {_COLUMNS} FROM supplier"  # noqa: S608 - column names of this file
_GET = text(_READ + " WHERE merchant_id = :merchant_id AND id = :id")
_LOCK = text(
    f"""
    SELECT {_COLUMNS}, {_SECRETS} FROM supplier
    WHERE merchant_id = :merchant_id AND id = :id FOR UPDATE
    """  # noqa: S608 - column names of this file
)
_LIST = text(
    _READ
    + """
    WHERE merchant_id = :merchant_id AND id < :after
    ORDER BY id DESC LIMIT :limit
    """
)
_FIND_NAMED = text(
    f"""
    SELECT {_COLUMNS}, {_SECRETS} FROM supplier
    WHERE (merchant_id, name) IN (
        SELECT * FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:name AS text[])))
    """  # noqa: S608 - column names of this file
)
# Buyers do not hold up each other, only who locks an account FOR UPDATE to change it.
_HOLD_NAMED = text(_FIND_NAMED.text + " ORDER BY id FOR KEY SHARE")
_HAS_OPEN_PURCHASES = text(
    """
    SELECT EXISTS (SELECT FROM purchase WHERE merchant_id = :merchant_id AND supplier = :name
                   AND settled_at IS NULL AND sends > unsent)
    """
)
_FIND_CALLED = text(
    f"SELECT {_COLUMNS}, {_SECRETS} FROM supplier WHERE id = :id"  # noqa: S608 - ours
)
