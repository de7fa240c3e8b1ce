from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time
from order.catalogue.domain import Kind
from order.tables import metadata

_EMPTY = text("'{}'::jsonb")
_NONE = text("'[]'::jsonb")
_KINDS = ", ".join(f"'{kind}'" for kind in Kind)

product = Table(
    "product",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, ForeignKey("merchant.id"), nullable=False),
    Column("sku", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # What the kind needs (terms_of in domain.py): each kind has its own members.
    Column("fulfillment", JSONB, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("instructions", Text, nullable=False, server_default=""),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    # What the buyer is asked for (forms/domain.py).
    Column("form", JSONB, nullable=False, server_default=_NONE),
    Column("sale_from", DateTime(timezone=True)),
    Column("sale_until", DateTime(timezone=True)),
    # {"allowed": [...], "refused": [...]}, countries.
    Column("region", JSONB, nullable=False, server_default=_EMPTY),
    # Only in these; none means all.
    Column("channels", JSONB, nullable=False, server_default=_NONE),
    Column("quantity_min", Integer, nullable=False, server_default="1"),
    Column("quantity_max", Integer),
    # [{"per", "quantity", "window_hours"}]
    Column("limits", JSONB, nullable=False, server_default=_NONE),
    Column("template", Text, nullable=False, server_default=""),
    # {"text", "url", "valid_days"}
    Column("redemption", JSONB, nullable=False, server_default=_EMPTY),
    # {language: {"instructions", "redemption"}}
    Column("translations", JSONB, nullable=False, server_default=_EMPTY),
    Column("image_url", Text, nullable=False, server_default=""),
    # Products of one family are its variants, told apart by their options.
    Column("family", Text),
    Column("options", JSONB, nullable=False, server_default=_EMPTY),
    # Grows with each edit: who edits an older one is refused.
    Column("version", Integer, nullable=False, server_default="1"),
    clock_time("created_at"),
    clock_time("updated_at"),
    # [[min quantity, price or null, basis points off], ...]
    Column("tiers", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("allow_rising", Boolean, nullable=False, server_default=false()),
    # What one unit costs, when the merchant states it.
    Column("cost_minor", BigInteger),
    Column("cost_currency", Text),
    UniqueConstraint("merchant_id", "sku"),
    CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
    CheckConstraint("price_minor >= 0", name="price_not_negative"),
    CheckConstraint("cost_minor >= 0", name="cost_not_negative"),
    CheckConstraint("(cost_minor IS NULL) = (cost_currency IS NULL)", name="cost_has_currency"),
    CheckConstraint("sale_from < sale_until", name="sale_window"),
    CheckConstraint("quantity_min BETWEEN 1 AND coalesce(quantity_max, 10000)", name="quantities"),
    CheckConstraint("family IS NOT NULL OR options = '{}'::jsonb", name="options_of_family"),
    Index(
        "uq_product_variant",
        "merchant_id",
        "family",
        "options",
        unique=True,
        postgresql_where=text("family IS NOT NULL"),
    ),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_code"),
    Index("ix_product_merchant_id_id", "merchant_id", "id"),
)
