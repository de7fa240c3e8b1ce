from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    false,
    text,
)

from kit.db import clock_time
from order.tables import metadata

# Of each coupon and of promotions with a budget. Its row is the lock under which uses are counted;
# the checks say that no limit can be passed, whoever writes.
price_limit = Table(
    "price_limit",
    metadata,
    Column("rule_id", Uuid, ForeignKey("price_rule.id"), primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("uses_max", Integer),
    Column("uses_per_buyer_max", Integer),
    Column("budget_minor", BigInteger),
    Column("uses", Integer, nullable=False, server_default="0"),
    Column("spent_minor", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("uses >= 0 AND spent_minor >= 0", name="not_negative"),
    CheckConstraint("uses <= uses_max", name="uses"),
    CheckConstraint("spent_minor <= budget_minor", name="budget"),
)

coupon_batch = Table(
    "coupon_batch",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("rule_id", Uuid, ForeignKey("price_rule.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("prefix", Text, nullable=False, server_default=""),
    clock_time("created_at"),
    Index("ix_coupon_batch_rule_id_id", "rule_id", "id"),
)

coupon_code = Table(
    "coupon_code",
    metadata,
    # A keyed hash over merchant and code.
    Column("code_hash", LargeBinary, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("rule_id", Uuid, ForeignKey("price_rule.id"), nullable=False),
    # Null for the shared code of a coupon.
    Column("batch_id", Uuid, ForeignKey("coupon_batch.id")),
    # The order that a single-use code went to; free again when that order ends unpaid.
    Column("used_by", Uuid),
    CheckConstraint("octet_length(code_hash) = 32", name="hash_size"),
    CheckConstraint("used_by IS NULL OR batch_id IS NOT NULL", name="shared_is_not_used"),
    Index("ix_coupon_code_rule_id", "rule_id"),
)

price_use = Table(
    "price_use",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("rule_id", Uuid, ForeignKey("price_rule.id"), primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("contact_hash", Text),
    Column("code_hash", LargeBinary),
    Column("discount_minor", BigInteger, nullable=False),
    Column("returns_on_refund", Boolean, nullable=False, server_default=false()),
    clock_time("used_at"),
    # When the order ended and the use was given back.
    Column("returned_at", DateTime(timezone=True)),
    CheckConstraint("discount_minor > 0", name="discount_positive"),
    Index(
        "ix_price_use_rule_id_customer_id",
        "rule_id",
        "customer_id",
        postgresql_where=text("returned_at IS NULL"),
    ),
    Index(
        "ix_price_use_rule_id_contact_hash",
        "rule_id",
        "contact_hash",
        postgresql_where=text("returned_at IS NULL"),
    ),
)

# How often codes that do not exist were shown by whom, in a window of time.
coupon_miss = Table(
    "coupon_miss",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("misses", Integer, nullable=False),
    CheckConstraint("misses > 0", name="misses_positive"),
    Index("ix_coupon_miss_since", "since"),
)
