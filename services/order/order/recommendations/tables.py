from sqlalchemy import CheckConstraint, Column, Date, Index, Integer, Table, Uuid, text

from order.tables import metadata

# How many orders of a day had both products delivered; each pair both ways, for reads by either.
product_pair = Table(
    "product_pair",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("product_id", Uuid, primary_key=True),
    Column("other_id", Uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("orders", Integer, nullable=False),
    CheckConstraint("orders > 0", name="orders_positive"),
    CheckConstraint("product_id <> other_id", name="two_products"),
    Index("ix_product_pair_day", "day"),
)

# Orders of several products that ended and are not counted yet: written with their end, taken with
# what is counted, so each is counted once.
product_pair_due = Table(
    "product_pair_due",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column(
        "day",
        Date,
        nullable=False,
        server_default=text("CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date)"),
    ),
)
