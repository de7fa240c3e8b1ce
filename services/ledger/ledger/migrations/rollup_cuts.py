"""How sums are cut into the grains of the roll-ups: parts of the functions in rollup_functions."""

NIL = "'00000000-0000-0000-0000-000000000000'::uuid"
MONEY = ("sales", "discounts", "refunds", "cost", "fees", "other")
COUNTS = ("placed", "paid", "delivered", "refunded", "ended")
OF_PLACED = ("of_placed_paid", "of_placed_delivered", "of_placed_refunded", "of_placed_ended")
TIME_KEY = ("merchant_id", "grain", "at", "currency", "channel_id", "buyer_group")
GOODS_KEY = (
    "merchant_id", "grain", "at", "currency", "channel_id", "product_id", "sku", "buyer_group",
    "supplier", "lot_id",
)  # fmt: skip
BUYER_KEY = ("merchant_id", "grain", "at", "channel_id")
RETURNING = ("buyers", "again_30", "again_60", "again_90")
# The same sums by grains: how long a row is, and which of its dimensions it keeps.
TIME_CUTS = """
    (VALUES ('quarter', 'quarter', true, true), ('hour', 'hour', true, true),
        ('channel_hour', 'hour', true, false), ('total_hour', 'hour', false, false),
        ('day', 'day', true, true), ('month', 'month', true, true)
    ) AS cut(grain, step, by_channel, by_group)
"""
GOODS_CUTS = """
    (VALUES ('quarter', 'quarter', true, true, true, true),
        ('month', 'month', true, true, true, true),
        ('product_day', 'day', true, true, false, false),
        ('product_month', 'month', true, true, false, false),
        ('item_part', 'part', false, true, false, false),
        ('item_day', 'day', false, true, false, false),
        ('item_month', 'month', false, true, false, false),
        ('lot_day', 'day', false, false, false, true),
        ('lot_month', 'month', false, false, false, true)
    ) AS cut(grain, step, by_channel, by_product, by_group, by_lot)
"""
BUYER_CUTS = (
    "(VALUES ('quarter', 'quarter'), ('day', 'day'), ('month', 'month')) AS cut(grain, step)"
)
UTC_MONTH = "date_trunc('month', {} AT TIME ZONE 'UTC')"
_ORIGIN = "'2000-01-01 00:00:00+00'::timestamptz"
# When the row of a grain begins that a quarter hour belongs to.
_AT = f"""
    CASE cut.step WHEN 'quarter' THEN base.quarter
        WHEN 'hour' THEN date_bin('1 hour', base.quarter, {_ORIGIN})
        WHEN 'part' THEN date_bin('4 hours', base.quarter, {_ORIGIN})
        WHEN 'day' THEN date_bin('24 hours', base.quarter, {_ORIGIN})
        ELSE {UTC_MONTH.format("base.quarter")} AT TIME ZONE 'UTC' END
"""


def merge(table: str, key: tuple[str, ...], sums: tuple[str, ...], source: str) -> str:
    """Adds the sums of `source` to a roll-up, in the order of the key: writers never deadlock."""
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    changed = " OR ".join(f"sum({name}) <> 0" for name in sums)
    return f"""
        INSERT INTO {table} ({", ".join((*key, *sums))})
        SELECT {", ".join((*key, *(f"sum({name})" for name in sums)))} FROM ({source}) AS given
        GROUP BY {", ".join(key)} HAVING {changed} ORDER BY {", ".join(key)}
        ON CONFLICT ({", ".join(key)}) DO UPDATE SET {added}
    """  # noqa: S608 - made of constants of this file


def by_quarter(key: tuple[str, ...], sums: tuple[str, ...], source: str) -> str:
    """Added up before it is cut: far fewer rows go through the grains."""
    key = tuple("quarter" if name == "at" else name for name in key if name != "grain")
    return f"""
        SELECT {", ".join((*key, *(f"sum({name})::bigint AS {name}" for name in sums)))}
        FROM ({source}) AS single GROUP BY {", ".join(key)}
    """  # noqa: S608 - made of constants of this file


def time_sums(sums: tuple[str, ...], source: str) -> str:
    """The grains of what is given by the quarter hour."""
    cut = f"""
        SELECT base.merchant_id, cut.grain, {_AT} AS at, base.currency,
            CASE WHEN cut.by_channel THEN base.channel_id ELSE {NIL} END AS channel_id,
            CASE WHEN cut.by_group THEN base.buyer_group ELSE '' END AS buyer_group,
            {", ".join(sums)}
        FROM ({by_quarter(TIME_KEY, sums, source)}) AS base CROSS JOIN {TIME_CUTS}
    """  # noqa: S608 - made of constants of this file
    return merge("rollup_time", TIME_KEY, sums, cut)


def goods_sums(sums: tuple[str, ...], source: str) -> str:
    """The grains of what is given by the quarter hour. Those of products know no lot and no group,
    those of items no channel either, those of lots nothing else: few rows hold a year.
    """
    cut = f"""
        SELECT base.merchant_id, cut.grain, {_AT} AS at, base.currency,
            CASE WHEN cut.by_channel THEN base.channel_id ELSE {NIL} END AS channel_id,
            CASE WHEN cut.by_product THEN base.product_id ELSE {NIL} END AS product_id,
            CASE WHEN cut.by_product THEN base.sku ELSE '' END AS sku,
            CASE WHEN cut.by_group THEN base.buyer_group ELSE '' END AS buyer_group,
            CASE WHEN cut.by_lot THEN base.supplier ELSE '' END AS supplier,
            CASE WHEN cut.by_lot THEN base.lot_id ELSE {NIL} END AS lot_id,
            {", ".join(sums)}
        FROM ({by_quarter(GOODS_KEY, sums, source)}) AS base CROSS JOIN {GOODS_CUTS}
    """  # noqa: S608 - made of constants of this file
    return merge("rollup_goods", GOODS_KEY, sums, cut)


def buyer_sums(source: str) -> str:
    """New buyers by when they first bought, and how many of them bought again how soon."""
    again = ", ".join(
        f"sign * coalesce(second_at <= first_at + interval '{days * 24} hours', false)::int"
        f" AS again_{days}"
        for days in (30, 60, 90)
    )
    cut = f"""
        SELECT base.merchant_id, cut.grain, {_AT} AS at, base.channel_id, {", ".join(RETURNING)}
        FROM (
            SELECT merchant_id, report_quarter(first_at) AS quarter,
                coalesce(channel_id, {NIL}) AS channel_id, sign AS buyers, {again}
            FROM ({source}) AS buyer
        ) AS base CROSS JOIN {BUYER_CUTS}
    """  # noqa: S608 - made of constants of this file
    return merge("rollup_buyer", BUYER_KEY, RETURNING, cut)
