from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from kit.db import clock_time
from order.price_rules.domain import RuleKind
from order.tables import metadata

_KINDS = ", ".join(f"'{kind}'" for kind in RuleKind)

# One row per merchant that has any rule: each change makes another edition, so that a process
# knows by one small read whether the rules it keeps are still those. Random and no number: after a
# restore from a backup a number would come again with other rules.
price_book = Table(
    "price_book",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("edition", Uuid, nullable=False),
    # {"step", "mode", "ending"} of all prices that rules make.
    Column("rounding", JSONB(none_as_null=True)),
)

price_rule = Table(
    "price_rule",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("channel_ids", ARRAY(Uuid), nullable=False, server_default="{}"),
    Column("groups", ARRAY(Text), nullable=False, server_default="{}"),
    Column("valid_from", DateTime(timezone=True)),
    Column("valid_to", DateTime(timezone=True)),
    # Of its amounts; null when it has none.
    Column("currency", Text),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    # What the kind says (terms_of in domain.py): each kind has its own members.
    Column("terms", JSONB, nullable=False),
    clock_time("created_at"),
    clock_time("updated_at"),
    CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
    CheckConstraint("version > 0", name="version_positive"),
    CheckConstraint("valid_to > valid_from", name="window"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
    Index("ix_price_rule_merchant_id_kind_id", "merchant_id", "kind", "id"),
    Index(
        "ix_price_rule_in_book",
        "merchant_id",
        postgresql_where=text("is_active AND kind <> 'coupon'"),
    ),
)

price_entry = Table(
    "price_entry",
    metadata,
    Column("rule_id", Uuid, ForeignKey("price_rule.id"), primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    # {"price", "basis_points_off", "tiers", "allow_rising"}
    Column("ladder", JSONB, nullable=False),
)
