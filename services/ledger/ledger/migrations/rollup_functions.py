"""The functions and triggers that keep the roll-ups: what is added to a fact is added to its sums
by the same statement; postings are added with the batch that takes them into the chain. The rebuild
calls the same expressions, so both give the same numbers. Made by the migration 2026_11_27_1830.
"""

from ledger.migrations.rollup_cuts import (
    COUNTS,
    GOODS_KEY,
    MONEY,
    NIL,
    OF_PLACED,
    UTC_MONTH,
    buyer_sums,
    by_quarter,
    goods_sums,
    merge,
    time_sums,
)

BASKET_MAX = 12
"""Products of one order that are paired with each other, at most: 66 pairs."""
# What a posting to an income or expense account is in a report. Sales are gross; what is put off
# until a voucher is redeemed lowers them.
MEASURE = """
    SELECT CASE WHEN code = 'revenue' THEN 'sales'
        WHEN starts_with(code, 'discounts:') THEN 'discounts'
        WHEN code = 'refunds' THEN 'refunds'
        WHEN code = 'cost-of-goods' THEN 'cost'
        WHEN code IN ('channel-fees', 'platform-fees') THEN 'fees'
        ELSE 'other' END
"""
TRIGGERS = (
    ("order_fact", "orders"),
    ("unit_fact", "units"),
    ("buyer_order", "cohorts"),
)


def _orders(source: str) -> str:
    values = ", ".join(
        f"({name}_at, {', '.join('1' if other == name else '0' for other in COUNTS)}, "
        + (
            "(paid_at IS NOT NULL)::int, (delivered_at IS NOT NULL)::int, "
            "(refunded_at IS NOT NULL)::int, (ended_at IS NOT NULL)::int)"
            if name == "placed"
            else "0, 0, 0, 0)"
        )
        for name in COUNTS
    )
    sums = COUNTS + OF_PLACED
    merged = time_sums(
        sums,
        f"""
        SELECT merchant_id, report_quarter(moment.at) AS quarter,
            coalesce(currency, '') AS currency, coalesce(channel_id, {NIL}) AS channel_id,
            buyer_group,
            {", ".join(f"sign * moment.{name} AS {name}" for name in sums)}
        FROM ({source}) AS fact
        CROSS JOIN LATERAL (VALUES {values}) AS moment(at, {", ".join(sums)})
        WHERE moment.at IS NOT NULL
        """,  # noqa: S608 - made of constants of this file
    )
    return f"{merged};"


def _postings(source: str) -> str:
    money = ", ".join(
        f"CASE WHEN measure = '{name}' THEN value ELSE 0 END AS {name}" for name in MONEY
    )
    # OFFSET 0: what an account measures is found out once for each posting, not for each figure.
    figures = f"""
        SELECT merchant_id, report_quarter(at) AS quarter, currency,
            coalesce(channel_id, {NIL}) AS channel_id, coalesce(product_id, {NIL}) AS product_id,
            coalesce(sku, '') AS sku, coalesce(buyer_group, '') AS buyer_group,
            coalesce(supplier, '') AS supplier, coalesce(lot_id, {NIL}) AS lot_id, {money}
        FROM (
            SELECT posting.*,
                report_measure(account.code) AS measure,
                report_value(account.code, posting.amount_minor) AS value
            FROM ({source}) AS posting JOIN account ON account.id = posting.account_id
            WHERE account.kind IN ('income', 'expense') OFFSET 0
        ) AS measured
    """  # noqa: S608 - made of constants of this file
    stock = f"""
        SELECT posting.merchant_id, posting.lot_id, posting.currency,
            posting.amount_minor AS value_minor, greatest(posting.amount_minor, 0) AS received_minor
        FROM ({source}) AS posting JOIN account ON account.id = posting.account_id
        WHERE account.code = 'inventory' AND posting.lot_id IS NOT NULL
    """  # noqa: S608 - made of constants of this file
    stock_key, stock_sums = ("merchant_id", "lot_id", "currency"), ("value_minor", "received_minor")
    return f"""
        WITH figure AS MATERIALIZED ({by_quarter(GOODS_KEY, MONEY, figures)}),
            of_time AS ({time_sums(MONEY, "SELECT * FROM figure")}),
            of_goods AS ({goods_sums(MONEY, "SELECT * FROM figure")})
        {merge("rollup_stock", stock_key, stock_sums, stock)};
    """  # noqa: S608 - made of constants of this file


def _units(source: str) -> str:
    base = f"""
        SELECT merchant_id, report_quarter(delivered_at) AS quarter, currency, channel_id,
            product_id, sku, buyer_group, supplier, lot_id, quantity AS units, share_minor AS shares
        FROM ({source}) AS fact
    """  # noqa: S608 - made of constants of this file
    # The products of the orders that are given, and whether they were there before.
    pairs = f"""
        WITH product AS (
            SELECT fact.order_id, fact.merchant_id, fact.product_id,
                bool_and(given.order_id IS NULL) AS was_there,
                min(min(fact.delivered_at)) OVER (PARTITION BY fact.order_id) AS at,
                row_number() OVER (PARTITION BY fact.order_id ORDER BY fact.product_id) AS number
            FROM unit_fact AS fact LEFT JOIN ({source}) AS given
                ON given.order_id = fact.order_id AND given.line_id = fact.line_id
                AND given.lot_id = fact.lot_id
            WHERE fact.order_id IN (SELECT order_id FROM ({source}) AS them)
                AND fact.product_id <> {NIL}
            GROUP BY fact.order_id, fact.merchant_id, fact.product_id
        )
        SELECT one.merchant_id, (one.at AT TIME ZONE 'UTC')::date AS day,
            one.product_id AS first_product, two.product_id AS second_product, 1 AS orders
        FROM product AS one JOIN product AS two
            ON two.order_id = one.order_id AND two.product_id >= one.product_id
        WHERE NOT (one.was_there AND two.was_there)
            AND (one.number <= {BASKET_MAX} AND two.number <= {BASKET_MAX}
                OR one.product_id = two.product_id)
    """  # noqa: S608 - made of constants of this file
    basket_key = ("merchant_id", "day", "first_product", "second_product")
    return f"""
        {time_sums(("units",), base)};
        {goods_sums(("units", "shares"), base)};
        {merge("rollup_basket", basket_key, ("orders",), pairs)};
    """


def _cohorts(source: str) -> str:
    merged = merge(
        "rollup_cohort",
        ("merchant_id", "currency", "first_slot", "slot", "previous_slot"),
        ("orders", "spent"),
        f"""
        SELECT merchant_id, currency, report_slot(first_at) AS first_slot,
            report_slot(paid_at) AS slot, report_slot_before(previous_at, paid_at) AS previous_slot,
            sign AS orders, sign * total_minor AS spent
        FROM ({source}) AS fact
        """,  # noqa: S608 - made of constants of this file
    )
    return f"{merged};"


ADDED = "SELECT 1 AS sign, added.* FROM added"
CHANGED = f"{ADDED} UNION ALL SELECT -1, removed.* FROM removed"  # noqa: S608 - constants


def _of(table: str) -> str:
    return f"""
        SELECT 1 AS sign, {table}.* FROM {table} WHERE order_id > after AND order_id <= until
    """  # noqa: S608 - a table of this file


# Of a buyer's paid orders: the one before, the first. A late event moves what follows it: the next
# one, and all of them if it is the first and not counted yet. That it is the first is asked of the
# orders: one statement that changes and adds orders calls this for the changed ones and then for
# the added ones, and by then `buyer_fact` knows of the added ones already.
_SAME_BUYER = """
    SELECT {columns} FROM order_fact AS other WHERE other.merchant_id = {fact}.merchant_id
        AND other.buyer = {fact}.buyer AND other.buyer <> '' AND other.paid_at IS NOT NULL
"""
_ALL_BUYERS = "SELECT 1 AS sign, buyer_fact.* FROM buyer_fact WHERE first_at IS NOT NULL"
_MOVED = """
    SELECT 1 AS sign, merchant_id, channel_id, first_at, second_at FROM moved
    UNION ALL SELECT -1, merchant_id, channel_before, first_before, second_before FROM moved
    WHERE first_before IS NOT NULL
"""
_BUYERS = f"""
    INSERT INTO buyer_fact (merchant_id, buyer)
    SELECT DISTINCT merchant_id, buyer FROM order_fact WHERE order_id = ANY(orders) ORDER BY 1, 2
    ON CONFLICT (merchant_id, buyer) DO UPDATE SET buyer = excluded.buyer;
    INSERT INTO buyer_order (order_id, merchant_id, buyer, paid_at, previous_at, first_at, currency,
        total_minor)
    SELECT fact.order_id, fact.merchant_id, fact.buyer, fact.paid_at, previous.paid_at,
        first.paid_at, coalesce(fact.currency, ''), coalesce(fact.total_minor, 0)
    FROM (
        SELECT order_id FROM order_fact WHERE order_id = ANY(orders)
        UNION SELECT next.order_id FROM order_fact AS fact CROSS JOIN LATERAL (
            {_SAME_BUYER.format(columns="other.order_id", fact="fact")}
                AND (other.paid_at, other.order_id) > (fact.paid_at, fact.order_id)
            ORDER BY other.paid_at, other.order_id LIMIT 1) AS next
        WHERE fact.order_id = ANY(orders)
        UNION SELECT later.order_id FROM (
            SELECT DISTINCT fact.merchant_id, fact.buyer FROM order_fact AS fact
            LEFT JOIN buyer_order AS before ON before.order_id = fact.order_id
            CROSS JOIN LATERAL (
                {_SAME_BUYER.format(columns="other.order_id", fact="fact")}
                ORDER BY other.paid_at, other.order_id LIMIT 1) AS first
            WHERE fact.order_id = ANY(orders)
                AND (before.order_id IS NULL AND first.order_id = fact.order_id
                    OR before.paid_at <> fact.paid_at)) AS moved
        CROSS JOIN LATERAL (
            {_SAME_BUYER.format(columns="other.order_id", fact="moved")}) AS later
    ) AS redone JOIN order_fact AS fact ON fact.order_id = redone.order_id
    LEFT JOIN LATERAL (
        {_SAME_BUYER.format(columns="other.paid_at", fact="fact")}
            AND (other.paid_at, other.order_id) < (fact.paid_at, fact.order_id)
        ORDER BY other.paid_at DESC, other.order_id DESC LIMIT 1) AS previous ON TRUE
    CROSS JOIN LATERAL (
        {_SAME_BUYER.format(columns="other.paid_at", fact="fact")}
        ORDER BY other.paid_at, other.order_id LIMIT 1) AS first
    ON CONFLICT (order_id) DO UPDATE SET paid_at = excluded.paid_at,
        previous_at = excluded.previous_at, first_at = excluded.first_at,
        currency = excluded.currency, total_minor = excluded.total_minor;
    WITH moved AS (
    UPDATE buyer_fact AS known SET channel_id = first.channel_id, first_at = first.paid_at,
        second_at = second.paid_at
    FROM (SELECT DISTINCT merchant_id, buyer FROM order_fact WHERE order_id = ANY(orders)) AS fact
    CROSS JOIN LATERAL (
        {_SAME_BUYER.format(columns="other.paid_at, other.channel_id", fact="fact")}
        ORDER BY other.paid_at, other.order_id LIMIT 1) AS first
    LEFT JOIN LATERAL (
        {_SAME_BUYER.format(columns="other.paid_at", fact="fact")}
        ORDER BY other.paid_at, other.order_id OFFSET 1 LIMIT 1) AS second ON TRUE
    WHERE known.merchant_id = fact.merchant_id AND known.buyer = fact.buyer
    RETURNING known.merchant_id, new.channel_id, new.first_at, new.second_at,
        old.channel_id AS channel_before, old.first_at AS first_before,
        old.second_at AS second_before
    )
    {buyer_sums(_MOVED)};
"""  # noqa: S608 - made of constants of this file
_FRESH_BUYERS = """
    orders := ARRAY(SELECT order_id FROM added WHERE paid_at IS NOT NULL AND buyer <> '');
"""
_CHANGED_BUYERS = """
    orders := ARRAY(SELECT added.order_id FROM added JOIN removed USING (order_id)
        WHERE added.paid_at IS NOT NULL AND added.buyer <> ''
            AND (added.paid_at, added.buyer, added.currency, added.total_minor, added.channel_id)
                IS DISTINCT FROM (removed.paid_at, removed.buyer, removed.currency,
                    removed.total_minor, removed.channel_id));
"""
_IF_BUYERS = "IF cardinality(orders) > 0 THEN PERFORM rollup_buyers(orders); END IF;"


def _function(name: str, body: str, *, given: str | None = None, declared: str = "") -> str:
    is_trigger = given is None
    return f"""
        CREATE FUNCTION {name}({given or ""}) RETURNS {"trigger" if is_trigger else "void"}
        LANGUAGE plpgsql AS $$ {declared} BEGIN {body} {"RETURN NULL;" if is_trigger else ""} END $$
    """


FUNCTIONS = (
    """
    CREATE FUNCTION report_quarter(at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
    $$ SELECT date_bin('15 minutes', at, '2000-01-01 00:00:00+00'::timestamptz) $$
    """,
    # A month begins at most 14 hours before or after its beginning in UTC, in any zone. What lies
    # further inside is in that month everywhere.
    f"""
    CREATE FUNCTION report_slot(at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE WHEN at AT TIME ZONE 'UTC' >= {UTC_MONTH.format("at")} + interval '14 hours'
            AND at AT TIME ZONE 'UTC'
                < {UTC_MONTH.format("at")} + interval '1 month' - interval '14 hours'
        THEN ({UTC_MONTH.format("at")} + interval '15 days') AT TIME ZONE 'UTC'
        ELSE date_bin('15 minutes', at, '2000-01-01 00:00:00+00'::timestamptz) END $$
    """,
    # The slot of the purchase before, where it may be in the same month in some zone.
    f"""
    CREATE FUNCTION report_slot_before(previous timestamptz, at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE WHEN previous AT TIME ZONE 'UTC'
            >= {UTC_MONTH.format("(at - interval '14 hours')")} - interval '14 hours'
        THEN report_slot(previous) ELSE '-infinity'::timestamptz END $$
    """,
    f"""
    CREATE FUNCTION report_measure(code text) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$ {MEASURE} $$
    """,
    """
    CREATE FUNCTION report_value(code text, amount bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE WHEN report_measure(code) IN ('sales', 'other') THEN -amount
            ELSE amount END $$
    """,
    _function("rollup_buyers", _BUYERS, given="orders uuid[]"),
    _function("rollup_cohorts_changed", _cohorts(CHANGED)),
    _function("rollup_cohorts_added", _cohorts(ADDED)),
    _function(
        "rollup_orders_added",
        _orders(ADDED) + _FRESH_BUYERS + _IF_BUYERS,
        declared="DECLARE orders uuid[];",
    ),
    _function(
        "rollup_orders_changed",
        _orders(CHANGED) + _CHANGED_BUYERS + _IF_BUYERS,
        declared="DECLARE orders uuid[];",
    ),
    _function("rollup_units_added", _units(ADDED)),
    # Within the transaction that chained the batch: each posting is counted once, whatever crashes.
    _function(
        "rollup_chained",
        _postings("""
            SELECT posting.* FROM chained_transaction AS chained JOIN posting USING (transaction_id)
            WHERE chained.batch_no = batch
        """),
        given="batch bigint",
    ),
    # What the rebuild calls: the same sums, of stored rows.
    _function("rollup_orders", _orders(_of("order_fact")), given="after uuid, until uuid"),
    _function("rollup_units", _units(_of("unit_fact")), given="after uuid, until uuid"),
    _function(
        "rollup_postings",
        _postings("""
            SELECT * FROM posting WHERE posting.merchant_id = merchant
                AND posting.at >= since AND posting.at < until AND NOT EXISTS (
                    SELECT 1 FROM unchained WHERE unchained.transaction_id = posting.transaction_id)
        """),
        given="merchant uuid, since timestamptz, until timestamptz",
    ),
    _function(
        "rollup_returning",
        f"{buyer_sums(_ALL_BUYERS)};",
        given="",
    ),
    *(
        f"""
        CREATE TRIGGER {table}_rolled_up AFTER INSERT ON {table} REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION rollup_{name}_added()
        """
        for table, name in TRIGGERS
    ),
    *(
        f"""
        CREATE TRIGGER {table}_rolled_over AFTER UPDATE ON {table}
        REFERENCING OLD TABLE AS removed NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION rollup_{name}_changed()
        """
        for table, name in (("order_fact", "orders"), ("buyer_order", "cohorts"))
    ),
)

DROPS = (
    *(f"DROP TRIGGER {table}_rolled_up ON {table}" for table, _ in TRIGGERS),
    *(f"DROP TRIGGER {table}_rolled_over ON {table}" for table in ("order_fact", "buyer_order")),
    *(
        f"DROP FUNCTION {name}"
        for name in (
            "rollup_orders_added", "rollup_orders_changed", "rollup_units_added",
            "rollup_chained", "rollup_cohorts_added", "rollup_cohorts_changed",
            "rollup_orders", "rollup_units", "rollup_postings", "rollup_buyers", "rollup_returning",
            "report_value", "report_measure", "report_slot_before", "report_slot",
            "report_quarter",
        )
    ),
)  # fmt: skip
