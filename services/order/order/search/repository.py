"""The search in SQL: composed of the parts that are asked for, and planned for their values."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from order.search.domain import Export, Filter, Place

COUNTED_MAX = 1_000
# Statements are planned once per connection elsewhere. A search is the exception: which index is
# best depends on what is looked for (a rare state, a SKU that half of the orders have).
_PLAN_FOR_VALUES = text("SET LOCAL plan_cache_mode = force_custom_plan")
_CONDITIONS = {
    "reference": "o.reference = :reference",
    "statuses": "o.status = ANY(CAST(:statuses AS text[]))",
    "placed_from": "o.placed_at >= :placed_from",
    "placed_to": "o.placed_at < :placed_to",
    "paid_from": "o.paid_at >= :paid_from",
    "paid_to": "o.paid_at < :paid_to",
}
# How often each term, and any of the states, stands: counted as far as it matters only.
_COUNT = text(
    """
    SELECT array(
      SELECT (SELECT count(*) FROM (SELECT 1 FROM order_search t
        WHERE t.merchant_id = :merchant_id AND t.term = w.term LIMIT :most) counted)
      FROM unnest(CAST(:terms AS text[])) WITH ORDINALITY AS w(term, place) ORDER BY place
    ) AS terms, (
      SELECT count(*) FROM (SELECT 1 FROM orders o WHERE o.merchant_id = :merchant_id
        AND o.status = ANY(CAST(:statuses AS text[])) LIMIT :most) counted
    ) AS states
    """
)
_BEGIN_EXPORT = text(
    "INSERT INTO order_export (id, merchant_id, requested_by, filter, has_contacts) "
    "VALUES (:id, :merchant_id, :requested_by, CAST(:filter AS jsonb), :has_contacts)"
)
_COUNT_EXPORT = text(
    "UPDATE order_export SET orders = orders + CAST(:orders AS bigint), "
    "rows = rows + CAST(:rows AS bigint), "
    "finished_at = CASE WHEN CAST(:is_last AS boolean) THEN clock_timestamp() END WHERE id = :id"
)
_LIST_EXPORTS = text(
    "SELECT * FROM order_export WHERE merchant_id = :merchant_id "
    "AND (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid)) ORDER BY id DESC LIMIT :limit"
)


async def find(
    tx: Transaction, merchant_id: UUID, wanted: Filter, *, after: Place | None, limit: int
) -> Sequence[Place]:
    """The newest first. Needs a transaction of its own: it changes how statements are planned."""
    await tx.execute(_PLAN_FOR_VALUES)
    lead = await find_lead(tx, merchant_id, wanted)
    sql, values = statement(merchant_id, wanted, lead, after=after, limit=limit)
    return [Place(row.at, row.id) for row in await tx.execute(text(sql), values)]


async def find_lead(tx: Transaction, merchant_id: UUID, wanted: Filter) -> int | None:
    """Which of the filter's terms the search goes along: the rarest, as far as that is counted.
    None: along the orders' own indexes (a rarer state, the time).
    """
    if wanted.reference is not None or not wanted.terms:
        return None
    if len(wanted.terms) == 1 and not wanted.statuses and not wanted.is_by_payment:
        return 0
    values = {
        "merchant_id": merchant_id,
        "terms": list(wanted.terms),
        "statuses": [status.value for status in wanted.statuses],
        "most": COUNTED_MAX,
    }
    row = (await tx.execute(_COUNT, values)).one()
    rarest = min(row.terms)
    if wanted.statuses and row.states < rarest:
        return None
    if wanted.is_by_payment and rarest == COUNTED_MAX:
        return None
    return int(row.terms.index(rarest))


def statement(
    merchant_id: UUID, wanted: Filter, lead: int | None, *, after: Place | None, limit: int
) -> tuple[str, dict[str, Any]]:
    """The search and its values. Every part of its text is a constant of this file."""
    values = _values(wanted) | {"merchant_id": merchant_id, "limit": limit}
    at, order_id = "o.paid_at" if wanted.is_by_payment else "o.placed_at", "o.id"
    conditions = ["o.merchant_id = :merchant_id"]
    conditions += [sql for name, sql in _CONDITIONS.items() if name in values]
    if after is not None:
        values |= {"after_at": after.at, "after_id": after.order_id}
        conditions.append(f"({at}, {order_id}) < (:after_at, CAST(:after_id AS uuid))")
    source = "orders o"
    if lead is not None:
        source = f"order_search t JOIN orders o ON o.id = t.order_id AND {_is_term(lead)}"
        conditions += [_on_term(sql) for sql in conditions if "o.placed_at" in sql]
        at, order_id = _on_term(at), _on_term(order_id)
    conditions += [_has_term(number) for number in range(len(wanted.terms)) if number != lead]
    sql = (
        f"SELECT o.id, {at} AS at FROM {source} WHERE {' AND '.join(conditions)} "  # noqa: S608 - constants
        f"ORDER BY {at} DESC, {order_id} DESC LIMIT :limit"
    )
    return sql, values


def _is_term(number: int) -> str:
    return f"t.merchant_id = :merchant_id AND t.term = :term{number}"


def _has_term(number: int) -> str:
    """Looked up for each order on the way. As a join it would be estimated, and badly: that time
    and id belong together is not known to the planner.
    """
    return (
        f"(SELECT true FROM order_search t WHERE {_is_term(number)} "  # noqa: S608 - constants
        "AND t.placed_at = o.placed_at AND t.order_id = o.id)"
    )


def _on_term(sql: str) -> str:
    """The same on the index of terms."""
    return sql.replace("o.placed_at", "t.placed_at").replace("o.id", "t.order_id")


def _values(wanted: Filter) -> dict[str, Any]:
    given = {
        "reference": wanted.reference,
        "statuses": [status.value for status in wanted.statuses] or None,
        "placed_from": wanted.placed_from,
        "placed_to": wanted.placed_to,
        "paid_from": wanted.paid_from,
        "paid_to": wanted.paid_to,
    }
    terms = {f"term{number}": term for number, term in enumerate(wanted.terms)}
    return terms | {name: value for name, value in given.items() if value is not None}


async def begin_export(
    tx: Transaction,
    export_id: UUID,
    merchant_id: UUID,
    requested_by: str,
    wanted: Filter,
    *,
    has_contacts: bool,
) -> None:
    values = {
        "id": export_id,
        "merchant_id": merchant_id,
        "requested_by": requested_by,
        "filter": orjson.dumps(wanted.document()).decode(),
        "has_contacts": has_contacts,
    }
    await tx.execute(_BEGIN_EXPORT, values)


async def count_export(
    tx: Transaction, export_id: UUID, *, orders: int, rows: int, is_last: bool
) -> None:
    values = {"id": export_id, "orders": orders, "rows": rows, "is_last": is_last}
    await tx.execute(_COUNT_EXPORT, values)


async def list_exports(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Export]:
    values = {"merchant_id": merchant_id, "after": after, "limit": limit}
    return [
        Export(
            row.id,
            row.merchant_id,
            row.requested_by,
            row.filter,
            row.has_contacts,
            row.orders,
            row.rows,
            row.started_at,
            row.finished_at,
        )
        for row in await tx.execute(_LIST_EXPORTS, values)
    ]
