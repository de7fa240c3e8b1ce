from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from order.deliveries.domain import Delivery, LineOutcome

_PUT_MANY = text(
    "INSERT INTO order_delivery (id, order_id, line_id, status, url, units, reason) "
    "SELECT * FROM jsonb_to_recordset(CAST(:deliveries AS jsonb)) AS d("
    "id uuid, order_id uuid, line_id uuid, status text, url text, units jsonb, reason text) "
    "ON CONFLICT (id) DO UPDATE SET status = excluded.status, url = excluded.url, "
    "units = excluded.units, reason = excluded.reason, updated_at = clock_timestamp()"
)
_MOVE_PAGES = text(
    "UPDATE order_delivery d SET url = moved.url, updated_at = clock_timestamp() "
    "FROM unnest(CAST(:order_ids AS uuid[]), CAST(:urls AS text[])) AS moved(order_id, url) "
    "WHERE d.order_id = moved.order_id AND d.url <> ''"
)
_FIND = text(
    "SELECT * FROM order_delivery WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id, id"
)


async def put_many(tx: Transaction, outcomes: Iterable[LineOutcome]) -> None:
    """Writes what is known of each delivery by now."""
    values = [_values(outcome) for outcome in outcomes]
    # The driver's UUIDs are a subclass, which orjson leaves to `default`.
    await tx.execute(_PUT_MANY, {"deliveries": orjson.dumps(values, default=str).decode()})


async def move_pages(tx: Transaction, urls: Mapping[UUID, str]) -> None:
    """Where a delivery had an address, it has this one now."""
    await tx.execute(_MOVE_PAGES, {"order_ids": list(urls), "urls": list(urls.values())})


async def find_of_orders(
    tx: Transaction, order_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[Delivery, ...]]:
    """The deliveries of each of the orders."""
    found: defaultdict[UUID, list[Delivery]] = defaultdict(list)
    for row in await tx.execute(_FIND, {"ids": list(order_ids)}):
        units = tuple((unit_id, mask) for unit_id, mask in row.units)
        found[row.order_id].append(
            Delivery(row.id, row.line_id, row.status, row.url, units, row.reason)
        )
    return {order_id: tuple(deliveries) for order_id, deliveries in found.items()}


def _values(outcome: LineOutcome) -> dict[str, object]:
    return {
        "id": outcome.delivery_id,
        "order_id": outcome.order_id,
        "line_id": outcome.line_id,
        "status": outcome.status,
        "url": outcome.url,
        "units": [[unit.unit_id, unit.mask] for unit in outcome.units],
        "reason": outcome.reason,
    }
