"""Create the risk service: backbone, velocity, rules, reviews, assessments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from kit import backbone

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    backbone.create(op)
    op.create_table(
        "purchase",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("contact_hash", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("skus", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("quantities", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("source IN ('order', 'shop')", name=op.f("ck_purchase_source_known")),
        sa.CheckConstraint(
            "cardinality(skus) = cardinality(quantities)", name=op.f("ck_purchase_lines_paired")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase")),
    )
    op.create_index("ix_purchase_merchant_id_at", "purchase", ["merchant_id", "at"], unique=False)
    op.create_table(
        "review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("assessment_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "(status = 'open') = (decided_at IS NULL)", name=op.f("ck_review_decided_when_closed")
        ),
        sa.CheckConstraint(
            "status IN ('open', 'approved', 'declined', 'lapsed')",
            name=op.f("ck_review_status_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("assessment_id", name=op.f("uq_review_assessment_id")),
    )
    op.create_index("ix_review_merchant_id_id", "review", ["merchant_id", "id"], unique=False)
    op.create_index(
        "ix_review_open",
        "review",
        ["merchant_id", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_review_order_id", "review", ["order_id"], unique=False)
    op.create_table(
        "rule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("template", sa.Text(), nullable=True),
        sa.CheckConstraint("version > 0", name=op.f("ck_rule_version_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule")),
        sa.UniqueConstraint("merchant_id", "template", name=op.f("uq_rule_merchant_id_template")),
    )
    op.create_index("ix_rule_merchant_id_id", "rule", ["merchant_id", "id"], unique=False)
    op.create_table(
        "velocity_key",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("purchases_total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "purchases_total > 0", name=op.f("ck_velocity_key_purchases_total_positive")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_velocity_key")),
    )
    op.create_table(
        "assessment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("outcomes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column(
            "assessed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "asked IN ('allow', 'challenge', 'hold', 'decline')",
            name=op.f("ck_assessment_asked_known"),
        ),
        sa.CheckConstraint(
            "decision IN ('allow', 'hold', 'decline')", name=op.f("ck_assessment_decision_known")
        ),
        sa.ForeignKeyConstraint(
            ["purchase_id"], ["purchase.id"], name=op.f("fk_assessment_purchase_id_purchase")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint("purchase_id", name=op.f("uq_assessment_purchase_id")),
    )
    op.create_index(
        "ix_assessment_merchant_id_id", "assessment", ["merchant_id", "id"], unique=False
    )
    op.create_index(
        "ix_assessment_order_id",
        "assessment",
        ["order_id"],
        unique=False,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_table(
        "rule_version",
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "action IN ('allow', 'challenge', 'hold', 'decline')",
            name=op.f("ck_rule_version_action_known"),
        ),
        sa.CheckConstraint(
            "mode IN ('enforce', 'shadow')", name=op.f("ck_rule_version_mode_known")
        ),
        sa.CheckConstraint(
            "char_length(condition) BETWEEN 1 AND 2048",
            name=op.f("ck_rule_version_condition_length"),
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["rule.id"], name=op.f("fk_rule_version_rule_id_rule")
        ),
        sa.PrimaryKeyConstraint("rule_id", "version", name=op.f("pk_rule_version")),
    )
    op.create_table(
        "velocity_event",
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('ip', 'device', 'customer', 'contact')",
            name=op.f("ck_velocity_event_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["purchase_id"], ["purchase.id"], name=op.f("fk_velocity_event_purchase_id_purchase")
        ),
        sa.PrimaryKeyConstraint("purchase_id", "kind", name=op.f("pk_velocity_event")),
    )
    op.create_index(
        "ix_velocity_event_key_at",
        "velocity_event",
        ["key", "at"],
        unique=False,
        postgresql_include=["seq"],
    )


def downgrade() -> None:
    op.drop_index(
        "ix_velocity_event_key_at", table_name="velocity_event", postgresql_include=["seq"]
    )
    op.drop_table("velocity_event")
    op.drop_table("rule_version")
    op.drop_index(
        "ix_assessment_order_id",
        table_name="assessment",
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.drop_index("ix_assessment_merchant_id_id", table_name="assessment")
    op.drop_table("assessment")
    op.drop_table("velocity_key")
    op.drop_index("ix_rule_merchant_id_id", table_name="rule")
    op.drop_table("rule")
    op.drop_index("ix_review_order_id", table_name="review")
    op.drop_index(
        "ix_review_open", table_name="review", postgresql_where=sa.text("status = 'open'")
    )
    op.drop_index("ix_review_merchant_id_id", table_name="review")
    op.drop_table("review")
    op.drop_index("ix_purchase_merchant_id_at", table_name="purchase")
    op.drop_table("purchase")
    backbone.drop(op)
