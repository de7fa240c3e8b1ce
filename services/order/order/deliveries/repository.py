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
_REPLACE_UNITS = text(
    "UPDATE order_delivery d SET updated_at = clock_timestamp(), units = ("
    "SELECT coalesce(jsonb_agg(CASE WHEN r.new IS NULL THEN u.unit "
    "ELSE jsonb_build_array(r.new, r.mask) END ORDER BY u.place), '[]'::jsonb) "
    "FROM jsonb_array_elements(d.units) WITH ORDINALITY AS u(unit, place) LEFT JOIN unnest("
    "CAST(:olds AS text[]), CAST(:news AS text[]), CAST(:masks AS text[])) AS r(old, new, mask) "
    "ON r.old = u.unit ->> 0) WHERE d.id = ANY(CAST(:ids AS uuid[]))"
)
_FIND = text(
    "SELECT * FROM order_delivery WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY order_id, id"
)


def put_many(tx: Transaction, outcomes: Iterable[LineOutcome]) -> None:
    """Writes what is known of each delivery by now, with what else is left for the end of the
    transaction.
    """
    values = [_values(outcome) for outcome in outcomes]
    # The driver's UUIDs are a subclass, which orjson leaves to `default`.
    tx.later(_PUT_MANY, {"deliveries": orjson.dumps(values, default=str).decode()})


async def move_pages(tx: Transaction, urls: Mapping[UUID, str]) -> None:
    """Where a delivery had an address, it has this one now."""
    await tx.execute(_MOVE_PAGES, {"order_ids": list(urls), "urls": list(urls.values())})


async def replace_units(
    tx: Transaction, delivery_ids: Sequence[UUID], replaced: Mapping[str, tuple[str, str]]
) -> None:
    """Old unit -> (unit, mask), wherever these deliveries name it."""
    values = {
        "ids": list(delivery_ids),
        "olds": list(replaced),
        "news": [unit_id for unit_id, _ in replaced.values()],
        "masks": [mask for _, mask in replaced.values()],
    }
    await tx.execute(_REPLACE_UNITS, values)


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
