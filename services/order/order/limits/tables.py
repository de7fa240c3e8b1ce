from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)

from kit.db import clock_time
from order.limits.domain import WHOLE_ORDER, Per
from order.tables import metadata

_PERS = ", ".join(f"'{per}'" for per in Per)

# What orders take of purchase limits. Whether a row still counts is read from its order, so that
# nobody has to give anything back.
limit_use = Table(
    "limit_use",
    metadata,
    Column("merchant_id", Uuid, nullable=False),
    Column("order_id", Uuid, nullable=False),
    # The line that got this product as a substitute; nil: the order as it was placed.
    Column("line_id", Uuid, nullable=False, server_default=str(WHOLE_ORDER)),
    Column("product_id", Uuid, nullable=False),
    Column("sku", Text, nullable=False),
    Column("per", Text, nullable=False),
    # The shop's id of the buyer, an address, a device; empty for everyone.
    Column("subject", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    clock_time("used_at"),
    PrimaryKeyConstraint("order_id", "line_id", "product_id", "per"),
    CheckConstraint("quantity > 0", name="quantity_positive"),
    CheckConstraint(f"per IN ({_PERS})", name="per_known"),
    Index("ix_limit_use_subject", "product_id", "per", "subject", "used_at"),
    Index("ix_limit_use_used_at", "used_at"),
)
