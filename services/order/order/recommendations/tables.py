from sqlalchemy import CheckConstraint, Column, Date, Index, Integer, Table, Uuid

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
