from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from inventory_vault.alarms.domain import Alarm
from kit.db import Transaction
from kit.ids import new_id


async def add(
    tx: Transaction,
    kind: str,
    object_id: UUID,
    merchant_id: UUID | None,
    details: Mapping[str, Any],
) -> tuple[UUID, bool]:
    """(id, whether it is new): an open alarm of the same kind and object is counted up."""
    row = (
        await tx.execute(
            _ADD,
            {
                "id": new_id(),
                "kind": kind,
                "object": object_id,
                "merchant": merchant_id,
                "details": orjson.dumps(dict(details)).decode(),
            },
        )
    ).one()
    return row.id, row.times == 1


async def list_of(
    tx: Transaction, merchant_id: UUID, *, is_open: bool | None, after: UUID | None, limit: int
) -> list[Alarm]:
    """The oldest first."""
    rows = await tx.execute(
        _LIST, {"merchant": merchant_id, "open": is_open, "after": after, "limit": limit}
    )
    return [_to_domain(row) for row in rows]


async def close(
    tx: Transaction, merchant_id: UUID, alarm_id: UUID, closed_by: str, resolution: str
) -> Alarm | None:
    rows = await tx.execute(
        _CLOSE,
        {"id": alarm_id, "merchant": merchant_id, "by": closed_by, "resolution": resolution},
    )
    row = rows.one_or_none()
    return _to_domain(row) if row else None


def _to_domain(row: Row[Any]) -> Alarm:
    return Alarm(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public API


_COLUMNS = (
    "id, merchant_id, kind, object_id, details, count, raised_at, last_raised_at, closed_at, "
    "closed_by, resolution"
)

_ADD = text(
    """
    INSERT INTO alarm AS a (id, merchant_id, kind, object_id, details)
    VALUES (:id, :merchant, :kind, :object, CAST(:details AS jsonb))
    ON CONFLICT (kind, object_id) WHERE closed_at IS NULL DO UPDATE SET
      count = a.count + 1, last_raised_at = clock_timestamp(), details = excluded.details
    RETURNING id, count AS times
    """
)

_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM alarm
    WHERE merchant_id = :merchant
      AND (CAST(:open AS boolean) IS NULL OR (closed_at IS NULL) = :open)
      AND (CAST(:after AS uuid) IS NULL OR id > :after)
    ORDER BY id LIMIT :limit
    """  # noqa: S608 - constant columns
)

_CLOSE = text(
    f"""
    UPDATE alarm SET closed_at = clock_timestamp(), closed_by = :by, resolution = :resolution
    WHERE id = :id AND merchant_id = :merchant AND closed_at IS NULL
    RETURNING {_COLUMNS}
    """  # noqa: S608 - constant columns
)
