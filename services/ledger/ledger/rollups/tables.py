"""Sums that reports are read from. Written by triggers on the facts, with the chain from the
postings, and by the rebuild; by nobody else.

Time is cut at quarter hours (UTC), the finest that any zone in use needs (Nepal is 5:45 off). The
same sums are kept coarser as well, by hour, day and month, and with fewer dimensions: orders by
hour by channel alone and in total; goods by product alone (`product`), without the channel (`item`,
also by parts of four hours, which make days of many zones) or by lot alone. A report over a year
reads some thousand rows and not half a million of quarter hours.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    MetaData,
    Table,
    Text,
    Uuid,
)

from ledger.rollups.domain import COUNTS, MONEY, OF_PLACED


def rollup_tables(metadata: MetaData) -> None:
    Table(
        "rollup_time",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("grain", Text, primary_key=True),
        Column("at", DateTime(timezone=True), primary_key=True),
        Column("currency", Text, primary_key=True),
        Column("channel_id", Uuid, primary_key=True),
        Column("buyer_group", Text, primary_key=True),
        *_sums(*COUNTS, *OF_PLACED, "units", *MONEY),
        CheckConstraint(
            "grain IN ('quarter', 'hour', 'channel_hour', 'total_hour', 'day', 'month')",
            name="grain_known",
        ),
        postgresql_with={"fillfactor": 70},
    )
    # New buyers by when they first bought; those of them who bought again within so many days.
    Table(
        "rollup_buyer",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("grain", Text, primary_key=True),
        Column("at", DateTime(timezone=True), primary_key=True),
        Column("channel_id", Uuid, primary_key=True),
        *_sums("buyers", "again_30", "again_60", "again_90"),
        CheckConstraint("grain IN ('quarter', 'day', 'month')", name="grain_known"),
        postgresql_with={"fillfactor": 70},
    )
    Table(
        "rollup_goods",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("grain", Text, primary_key=True),
        Column("at", DateTime(timezone=True), primary_key=True),
        Column("currency", Text, primary_key=True),
        Column("channel_id", Uuid, primary_key=True),
        Column("product_id", Uuid, primary_key=True),
        Column("sku", Text, primary_key=True),
        Column("buyer_group", Text, primary_key=True),
        Column("supplier", Text, primary_key=True),
        Column("lot_id", Uuid, primary_key=True),
        *_sums("units", "shares", *MONEY),
        CheckConstraint(
            "grain IN ('quarter', 'month', 'product_day', 'product_month', 'item_part', "
            "'item_day', 'item_month', 'lot_day', 'lot_month')",
            name="grain_known",
        ),
        postgresql_with={"fillfactor": 70},
    )
    # Orders that had both products, by UTC day of delivery; a product with itself: orders with it.
    Table(
        "rollup_basket",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("day", Date, primary_key=True),
        Column("first_product", Uuid, primary_key=True),
        Column("second_product", Uuid, primary_key=True),
        *_sums("orders"),
    )
    # Purchases by when their buyer first bought, when this one was, and when the one before. The
    # three are cut so coarsely that no zone's months can tell the difference: see slot_of.
    Table(
        "rollup_cohort",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("currency", Text, primary_key=True),
        Column("first_slot", DateTime(timezone=True), primary_key=True),
        Column("slot", DateTime(timezone=True), primary_key=True),
        Column("previous_slot", DateTime(timezone=True), primary_key=True),
        *_sums("orders", "spent"),
    )
    Table(
        "rollup_stock",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("lot_id", Uuid, primary_key=True),
        Column("currency", Text, primary_key=True),
        # What the lot's units on the shelf cost: the balance of its postings to `inventory`.
        *_sums("value_minor", "received_minor"),
    )


def _sums(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in names]
