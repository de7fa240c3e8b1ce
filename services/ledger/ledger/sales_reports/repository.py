"""Sums of roll-ups. Every part of the SQL is a constant of this file; values travel apart."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.rollups.domain import COUNTS, OF_PLACED
from ledger.sales_reports.domain import SUMS, Dimension, Question, Sum

_COLUMNS: Mapping[Dimension, str] = {
    Dimension.CHANNEL: "kept.channel_id",
    Dimension.PRODUCT: "kept.product_id",
    Dimension.SKU: "kept.sku",
    Dimension.BUYER_GROUP: "kept.buyer_group",
    Dimension.SUPPLIER: "coalesce(nullif(kept.supplier, ''), lot.supplier, '')",
    Dimension.LOT: "kept.lot_id",
}
_IDS = (Dimension.CHANNEL, Dimension.PRODUCT, Dimension.LOT)
_NOTHING = "00000000-0000-0000-0000-000000000000"
_KEPT = """
    FROM unnest(CAST(:grains AS text[]), CAST(:froms AS timestamptz[]),
        CAST(:untils AS timestamptz[])) AS span(grain, since, until)
    JOIN {table} AS kept ON kept.merchant_id = :merchant_id AND kept.grain = span.grain
        AND kept.at >= span.since AND kept.at < span.until
    {lots}
    WHERE true
"""
# A lot of somebody else, whose id a transaction by hand may name, tells nothing.
_LOTS = """
    LEFT JOIN lot_fact AS lot ON lot.lot_id = kept.lot_id AND lot.merchant_id = kept.merchant_id
"""
# Hours by the clock of the zone: a clock that changes makes an hour longer or shorter.
_PEAKS = text("""
    SELECT extract(isodow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour,
        sum(paid)::bigint AS paid, sum(units)::bigint AS units
    FROM (
        SELECT kept.at AT TIME ZONE CAST(:zone AS text) AS local, sum(kept.paid) AS paid,
            sum(kept.units) AS units
        FROM rollup_time AS kept
        WHERE kept.merchant_id = :merchant_id AND kept.grain = :grain
            AND kept.at >= :since AND kept.at < :until
            AND (CAST(:channel_id AS uuid) IS NULL OR kept.channel_id = :channel_id)
        GROUP BY kept.at
    ) AS hourly
    GROUP BY 1, 2 ORDER BY 1, 2
""")


class SalesRepository:
    async def list_sums(
        self, tx: Transaction, question: Question, *, limit: int, offset: int = 0
    ) -> list[Sum]:
        """By bucket and then the highest of `sort`, or by the groups."""
        sql, names = _statement(question)
        values = {**_values(question), "limit": limit, "offset": offset}
        rows = await tx.execute(text(sql), values)
        return [_sum(row, question, names) for row in rows]

    async def list_peaks(
        self,
        tx: Transaction,
        merchant_id: UUID,
        since: datetime,
        until: datetime,
        zone: str,
        channel_id: UUID | None,
        grain: str,
    ) -> list[tuple[int, int, int, int]]:
        """(weekday from 1 for Monday, hour, orders paid, units)"""
        rows = await tx.execute(
            _PEAKS,
            {
                "merchant_id": merchant_id,
                "since": since,
                "until": until,
                "zone": zone,
                "channel_id": channel_id,
                "grain": grain,
            },
        )
        return [(row.weekday, row.hour, row.paid, row.units) for row in rows]


def _statement(question: Question) -> tuple[str, tuple[str, ...]]:
    names = SUMS if question.is_about_goods else (*COUNTS, *OF_PLACED, *SUMS)
    groups = [f"{_COLUMNS[it]} AS group_{at}" for at, it in enumerate(question.dimensions)]
    bucket = "width_bucket(kept.at, CAST(:starts AS timestamptz[])) - 1" if question.bucket else "0"
    sums = [f"sum({_source(name, question)})::bigint AS {name}" for name in names]
    wheres = "".join(f" AND {_where(dimension)}" for dimension in question.where)
    keys = ", ".join(["bucket", *(f"group_{at}" for at in range(len(groups)))])
    order = [f"{question.sort} DESC"] if question.sort else []
    order = ["bucket", *order, "currency", *(f"group_{at}" for at in range(len(groups)))]
    sql = f"""
        SELECT {", ".join([*groups, f"{bucket} AS bucket", "kept.currency AS currency", *sums])}
        {_from(question)}{wheres}
        GROUP BY {keys}, kept.currency
        HAVING {" OR ".join(f"sum({_source(name, question)}) <> 0" for name in names)}
        ORDER BY {", ".join(order)} LIMIT :limit OFFSET :offset
    """
    return sql, names


def _from(question: Question) -> str:
    by_supplier = Dimension.SUPPLIER in {*question.dimensions, *question.where}
    table = "rollup_goods" if question.is_about_goods else "rollup_time"
    return _KEPT.format(table=table, lots=_LOTS if by_supplier else "")


def _source(name: str, question: Question) -> str:
    if name == "sales" and question.is_by_lot:
        # What is posted with a lot: vouchers that were redeemed.
        return f"(kept.shares + CASE WHEN kept.lot_id <> '{_NOTHING}' THEN kept.sales ELSE 0 END)"
    # Shares are net of discounts.
    return "0" if name == "discounts" and question.is_by_lot else f"kept.{name}"


def _where(dimension: Dimension) -> str:
    kind = "uuid" if dimension in _IDS else "text"
    return f"{_COLUMNS[dimension]} = CAST(:{dimension.value} AS {kind})"


def _values(question: Question) -> dict[str, Any]:
    values: dict[str, Any] = {"merchant_id": question.merchant_id}
    for dimension, value in question.where.items():
        if dimension in _IDS:
            values[dimension.value] = UUID(value or _NOTHING)
        else:
            values[dimension.value] = value or ""
    if question.bucket:
        values["starts"] = question.period.starts(question.bucket)
    spans = question.spans()
    return values | {
        "grains": [span.grain for span in spans],
        "froms": [span.since for span in spans],
        "untils": [span.until for span in spans],
    }


def _sum(row: Any, question: Question, names: Sequence[str]) -> Sum:
    keys = len(question.dimensions)
    groups = tuple(_group(value) for value in row[:keys])
    bucket, currency, *sums = row[keys:]
    return Sum(groups, bucket, currency, dict(zip(names, sums, strict=True)))


def _group(value: Any) -> str | None:
    written = str(value)
    return None if written in ("", _NOTHING) else written
