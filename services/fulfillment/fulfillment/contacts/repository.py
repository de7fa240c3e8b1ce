"""SQL of contacts. Addresses go in sealed and come out for messages only."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from fulfillment.contacts.domain import Contact, normal_address
from fulfillment.safe import Safe
from kit.db import Transaction


class ContactRepository:
    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    def add(self, tx: Transaction, contacts: Sequence[Contact]) -> None:
        """What is known of an order already stays as it is; a challenge, which comes before the
        request, does not know its template. Written with what else is left for the end.
        """
        tx.later(_ADD, self._values(contacts))

    async def change(self, tx: Transaction, contact: Contact) -> None:
        """Writes the contact's addresses."""
        values = {"order_id": contact.order_id, "addresses": self._sealed(contact)}
        await tx.execute(_CHANGE, values)

    async def find_many(self, tx: Transaction, order_ids: Sequence[UUID]) -> Mapping[UUID, Contact]:
        rows = await tx.execute(_FIND, {"order_id": list(order_ids)})
        return {row.order_id: self._contact(row) for row in rows}

    async def lock(self, tx: Transaction, merchant_id: UUID, order_id: UUID) -> Contact | None:
        rows = await tx.execute(_LOCK, {"merchant_id": merchant_id, "order_id": order_id})
        row = rows.one_or_none()
        return self._contact(row) if row else None

    def fingerprint(self, address: str) -> bytes:
        return self._safe.fingerprint(normal_address(address))

    async def forget(self, tx: Transaction, older_than: timedelta, limit: int) -> int:
        """Deletes up to `limit` of the oldest; answers how many."""
        rows = await tx.execute(_FORGET, {"age": older_than, "limit": limit})
        return int(rows.scalar_one())

    def _values(self, contacts: Sequence[Contact]) -> dict[str, Any]:
        return {
            "order_id": [contact.order_id for contact in contacts],
            "merchant_id": [contact.merchant_id for contact in contacts],
            "customer_id": [contact.customer_id for contact in contacts],
            "locale": [contact.locale for contact in contacts],
            "template": [contact.template for contact in contacts],
            "addresses": [self._sealed(contact) for contact in contacts],
        }

    def _sealed(self, contact: Contact) -> bytes:
        return self._safe.seal(orjson.dumps([contact.email, contact.phone]), contact.order_id)

    def _contact(self, row: Any) -> Contact:  # a row has no static type
        email, phone = orjson.loads(self._safe.open(row.addresses, row.order_id))
        return Contact(
            order_id=row.order_id,
            merchant_id=row.merchant_id,
            customer_id=row.customer_id,
            email=email,
            phone=phone,
            locale=row.locale,
            template=row.template,
        )


_ADD = text(
    """
    INSERT INTO contact (order_id, merchant_id, customer_id, locale, template, addresses)
    SELECT * FROM unnest(CAST(:order_id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:customer_id AS text[]), CAST(:locale AS text[]), CAST(:template AS text[]),
        CAST(:addresses AS bytea[]))
    ON CONFLICT (order_id) DO UPDATE SET template = EXCLUDED.template
    WHERE contact.template = '' AND EXCLUDED.template <> ''
    """
)
_CHANGE = text(
    """
    UPDATE contact SET addresses = :addresses WHERE order_id = :order_id
    """
)
_COLUMNS = "order_id, merchant_id, customer_id, locale, template, addresses"
_FIND = text(
    f"SELECT {_COLUMNS} FROM contact WHERE order_id = ANY(CAST(:order_id AS uuid[]))"  # noqa: S608 - column names of this file
)
_LOCK = text(
    f"SELECT {_COLUMNS} FROM contact "  # noqa: S608 - column names of this file
    "WHERE order_id = :order_id AND merchant_id = :merchant_id FOR UPDATE"
)
_FORGET = text(
    """
    WITH oldest AS (
        SELECT order_id, created_at FROM contact ORDER BY created_at LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM contact c USING oldest o
        WHERE c.order_id = o.order_id
          AND o.created_at < clock_timestamp() - CAST(:age AS interval)
        RETURNING c.order_id
    )
    SELECT count(*) FROM gone
    """
)
