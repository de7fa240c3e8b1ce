"""Create the facts and roll-ups that reports are read from (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

from ledger.migrations.rollup_functions import DROPS, FUNCTIONS

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buyer_fact",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("buyer", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "buyer", name=op.f("pk_buyer_fact")),
    )
    op.create_table(
        "buyer_order",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("buyer", sa.Text(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_buyer_order")),
    )
    op.create_table(
        "claim_fact",
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("claim_id", name=op.f("pk_claim_fact")),
    )
    op.create_index("ix_claim_fact_merchant_id", "claim_fact", ["merchant_id"], unique=False)
    op.create_table(
        "lot_fact",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lot_fact")),
    )
    op.create_table(
        "order_fact",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=True),
        sa.Column("buyer", sa.Text(), server_default="", nullable=False),
        sa.Column("buyer_group", sa.Text(), server_default="", nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("total_minor", sa.BigInteger(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_fact")),
    )
    op.create_index(
        "ix_order_fact_buyer",
        "order_fact",
        ["merchant_id", "buyer", "paid_at", "order_id"],
        unique=False,
        postgresql_where=sa.text("paid_at IS NOT NULL AND buyer <> ''"),
    )
    op.create_table(
        "rollup_basket",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first_product", sa.Uuid(), nullable=False),
        sa.Column("second_product", sa.Uuid(), nullable=False),
        sa.Column("orders", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint(
            "merchant_id", "day", "first_product", "second_product", name=op.f("pk_rollup_basket")
        ),
    )
    op.create_table(
        "rollup_buyer",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("buyers", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("again_30", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("again_60", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("again_90", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "grain IN ('quarter', 'day', 'month')", name=op.f("ck_rollup_buyer_grain_known")
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id", "grain", "at", "channel_id", name=op.f("pk_rollup_buyer")
        ),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "rollup_cohort",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("first_slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("orders", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("spent", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint(
            "merchant_id",
            "currency",
            "first_slot",
            "slot",
            "previous_slot",
            name=op.f("pk_rollup_cohort"),
        ),
    )
    op.create_table(
        "rollup_goods",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("buyer_group", sa.Text(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("shares", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sales", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("discounts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunds", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fees", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("other", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "grain IN ('quarter', 'month', 'product_day', 'product_month', 'item_part', "
            "'item_day', 'item_month', 'lot_day', 'lot_month')",
            name=op.f("ck_rollup_goods_grain_known"),
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id",
            "grain",
            "at",
            "currency",
            "channel_id",
            "product_id",
            "sku",
            "buyer_group",
            "supplier",
            "lot_id",
            name=op.f("pk_rollup_goods"),
        ),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "rollup_stock",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("value_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "lot_id", "currency", name=op.f("pk_rollup_stock")),
    )
    op.create_table(
        "rollup_time",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_group", sa.Text(), nullable=False),
        sa.Column("placed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("paid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("delivered", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ended", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("of_placed_paid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("of_placed_delivered", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("of_placed_refunded", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("of_placed_ended", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sales", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("discounts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunds", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fees", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("other", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "grain IN ('quarter', 'hour', 'channel_hour', 'total_hour', 'day', 'month')",
            name=op.f("ck_rollup_time_grain_known"),
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id",
            "grain",
            "at",
            "currency",
            "channel_id",
            "buyer_group",
            name=op.f("pk_rollup_time"),
        ),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "unit_fact",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("buyer_group", sa.Text(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("share_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_unit_fact_quantity_not_negative")),
        sa.PrimaryKeyConstraint("order_id", "line_id", "lot_id", name=op.f("pk_unit_fact")),
    )
    for function in FUNCTIONS:
        op.execute(function)


def downgrade() -> None:
    for drop in DROPS:
        op.execute(drop)
    op.drop_table("unit_fact")
    op.drop_table("rollup_time")
    op.drop_table("rollup_stock")
    op.drop_table("rollup_goods")
    op.drop_table("rollup_cohort")
    op.drop_table("rollup_buyer")
    op.drop_table("rollup_basket")
    op.drop_table("order_fact")
    op.drop_table("lot_fact")
    op.drop_table("claim_fact")
    op.drop_table("buyer_order")
    op.drop_table("buyer_fact")
