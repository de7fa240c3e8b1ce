from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from inventory_vault.alarms.domain import Alarm, NewAlarm
from kit.db import Transaction
from kit.ids import new_id


async def add(
    tx: Transaction, kind: str, alarms: Sequence[NewAlarm]
) -> list[tuple[UUID, NewAlarm]]:
    """The ones that are new with their ids: open alarms of the same kind and object are counted up.
    In the order of their objects, so that two who raise the same ones do not deadlock.
    """
    by_object = {alarm.object_id: alarm for alarm in alarms}
    objects = sorted(by_object)
    rows = await tx.execute(
        _ADD,
        {
            "kind": kind,
            "ids": [new_id() for _ in objects],
            "objects": objects,
            "merchants": [by_object[each].merchant_id for each in objects],
            "details": [orjson.dumps(dict(by_object[each].details)).decode() for each in objects],
        },
    )
    return [(row.id, by_object[row.object_id]) for row in rows if row.times == 1]


async def list_of(
    tx: Transaction,
    merchant_id: UUID | None,
    *,
    is_open: bool | None,
    after: UUID | None,
    limit: int,
) -> list[Alarm]:
    """The oldest first."""
    rows = await tx.execute(
        _LIST, {"merchant": merchant_id, "open": is_open, "after": after, "limit": limit}
    )
    return [_to_domain(row) for row in rows]


async def close(
    tx: Transaction, merchant_id: UUID | None, alarm_id: UUID, closed_by: str, resolution: str
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

# Without a merchant: the platform's own.
_MINE = "(merchant_id = :merchant OR (CAST(:merchant AS uuid) IS NULL AND merchant_id IS NULL))"

_ADD = text(
    """
    INSERT INTO alarm AS a (id, merchant_id, kind, object_id, details)
    SELECT n.id, n.merchant_id, :kind, n.object_id, CAST(n.details AS jsonb)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:objects AS uuid[]),
      CAST(:details AS text[])) AS n(id, merchant_id, object_id, details)
    ORDER BY n.object_id
    ON CONFLICT (kind, object_id) WHERE closed_at IS NULL DO UPDATE SET
      count = a.count + 1, last_raised_at = clock_timestamp(), details = excluded.details
    RETURNING id, object_id, count AS times
    """
)

_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM alarm
    WHERE {_MINE}
      AND (CAST(:open AS boolean) IS NULL OR (closed_at IS NULL) = :open)
      AND (CAST(:after AS uuid) IS NULL OR id > :after)
    ORDER BY id LIMIT :limit
    """  # noqa: S608 - constant columns
)

_CLOSE = text(
    f"""
    UPDATE alarm SET closed_at = clock_timestamp(), closed_by = :by, resolution = :resolution
    WHERE id = :id AND {_MINE} AND closed_at IS NULL
    RETURNING {_COLUMNS}
    """  # noqa: S608 - constant columns
)
