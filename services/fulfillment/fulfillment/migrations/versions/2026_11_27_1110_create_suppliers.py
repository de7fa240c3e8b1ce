"""Suppliers, purchases, operators' queue (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _now(name: str) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _word(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def upgrade() -> None:
    _extend_deliveries()
    _create_suppliers()
    _create_purchases()
    _create_manual_tasks()


def _extend_deliveries() -> None:
    for name in ("account_mask", "receipt"):
        op.add_column("delivery", _word(name))
    op.add_column("delivery", sa.Column("terms", JSONB()))
    op.add_column("delivery", sa.Column("inputs", sa.LargeBinary()))
    op.add_column("delivery", _moment("refunded_at"))
    op.create_check_constraint(
        op.f("ck_delivery_settled_forgets_inputs"),
        "delivery",
        "settled_at IS NULL OR inputs IS NULL",
    )


def _create_suppliers() -> None:
    op.create_table(
        "supplier",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        _word("base_url"),
        _word("account_id"),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("timeout_seconds", sa.Float()),
        sa.Column("visibility_delay_seconds", sa.Float()),
        sa.Column("unknown_ttl_seconds", sa.Float()),
        sa.Column("is_enabled", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        _now("created_at"),
        sa.CheckConstraint("timeout_seconds > 0", name=op.f("ck_supplier_timeout_positive")),
        sa.CheckConstraint(
            "visibility_delay_seconds >= 0",
            name=op.f("ck_supplier_visibility_delay_not_negative"),
        ),
        sa.CheckConstraint(
            "unknown_ttl_seconds >= 0", name=op.f("ck_supplier_unknown_ttl_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier")),
        sa.UniqueConstraint("merchant_id", "name", name=op.f("uq_supplier_merchant_id_name")),
    )


def _create_purchases() -> None:
    op.create_table(
        "purchase",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.SmallInteger(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("supplier_sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("cost_max_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="intent"),
        sa.Column("sends", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("unsent", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("asks", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("cost_minor", sa.BigInteger()),
        _word("supplier_reference"),
        _word("receipt"),
        _word("reason"),
        sa.Column("is_dearer", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        _moment("sent_at"),
        _moment("settled_at"),
        _moment("late_success_at"),
        _now("created_at"),
        *_purchase_checks(),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_purchase_delivery_id_delivery")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_purchase_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase")),
        sa.UniqueConstraint(
            "delivery_id", "generation", name=op.f("uq_purchase_delivery_id_generation")
        ),
    )
    op.create_index(
        "uq_purchase_delivery_id_open",
        "purchase",
        ["delivery_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'failed'"),
    )
    op.create_index("ix_purchase_task_id", "purchase", ["task_id"])
    op.create_index("ix_purchase_order_id", "purchase", ["order_id"])
    op.create_index(
        "ix_purchase_merchant_id_created_at_id", "purchase", ["merchant_id", "created_at", "id"]
    )
    op.execute(_PURCHASE_TRANSITION)
    op.execute(
        "CREATE TRIGGER purchase_transition BEFORE UPDATE ON purchase FOR EACH ROW "
        "WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION purchase_transition()"
    )


def _purchase_checks() -> list[sa.CheckConstraint]:
    checks = {
        "state_known": "state IN ('intent', 'sent', 'done', 'failed', 'unknown', 'manual')",
        "quantity_positive": "quantity > 0",
        "cost_max_not_negative": "cost_max_minor >= 0",
        "unsent_is_part_of_sends": "unsent BETWEEN 0 AND sends",
        "done_has_cost": "(state = 'done') = (cost_minor IS NOT NULL)",
        "failed_has_reason": "state <> 'failed' OR reason <> ''",
        "settled_has_time": "(state IN ('done', 'failed')) = (settled_at IS NOT NULL)",
        "sent_has_time": "state IN ('intent', 'failed') OR sent_at IS NOT NULL",
    }
    return [
        sa.CheckConstraint(rule, name=op.f(f"ck_purchase_{name}")) for name, rule in checks.items()
    ]


def _create_manual_tasks() -> None:
    op.create_table(
        "manual_task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid()),
        sa.Column("state", sa.Text(), nullable=False, server_default="open"),
        _word("result"),
        sa.Column("cost_minor", sa.BigInteger()),
        sa.Column("currency", sa.Text()),
        sa.Column("resolved_by", sa.Text()),
        _moment("resolved_at"),
        _now("created_at"),
        *_manual_checks(),
        *_manual_references(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manual_task")),
        sa.UniqueConstraint("purchase_id", name=op.f("uq_manual_task_purchase_id")),
    )
    op.create_index("ix_manual_task_merchant_id_id", "manual_task", ["merchant_id", "id"])
    op.create_index("ix_manual_task_delivery_id", "manual_task", ["delivery_id"])
    op.create_index(
        "uq_manual_task_delivery_id_open",
        "manual_task",
        ["delivery_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "manual_task_view",
        sa.Column("manual_task_id", sa.Uuid(), nullable=False),
        sa.Column("view_no", sa.Integer(), nullable=False),
        sa.Column("viewer", sa.Text(), nullable=False),
        _now("viewed_at"),
        sa.ForeignKeyConstraint(
            ["manual_task_id"],
            ["manual_task.id"],
            name=op.f("fk_manual_task_view_manual_task_id_manual_task"),
        ),
        sa.PrimaryKeyConstraint("manual_task_id", "view_no", name=op.f("pk_manual_task_view")),
    )


def _manual_checks() -> list[sa.CheckConstraint]:
    checks = {
        "state_known": "state IN ('open', 'completed', 'failed', 'withdrawn')",
        "resolved_has_time": "(state = 'open') = (resolved_at IS NULL AND resolved_by IS NULL)",
        "cost_not_negative": "cost_minor >= 0",
        "cost_whole": "(cost_minor IS NULL) = (currency IS NULL)",
    }
    return [
        sa.CheckConstraint(rule, name=op.f(f"ck_manual_task_{name}"))
        for name, rule in checks.items()
    ]


def _manual_references() -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint(
            [f"{other}_id"], [f"{other}.id"], name=op.f(f"fk_manual_task_{other}_id_{other}")
        )
        for other in ("delivery", "task", "purchase")
    ]


_PURCHASE_TRANSITION = """
    CREATE FUNCTION purchase_transition() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NOT (CASE OLD.state
        WHEN 'intent' THEN NEW.state IN ('sent', 'failed', 'done')
        WHEN 'sent' THEN NEW.state IN ('intent', 'done', 'failed', 'unknown')
        WHEN 'unknown' THEN NEW.state IN ('intent', 'sent', 'done', 'failed', 'manual')
        WHEN 'manual' THEN NEW.state IN ('done', 'failed')
        ELSE false
      END) THEN
        RAISE EXCEPTION 'a purchase that is % cannot become %', OLD.state, NEW.state
          USING ERRCODE = 'check_violation', CONSTRAINT = 'purchase_transition';
      END IF;
      RETURN NEW;
    END $$
"""


def downgrade() -> None:
    for table in ("manual_task_view", "manual_task", "purchase", "supplier"):
        op.drop_table(table)
    op.execute("DROP FUNCTION purchase_transition()")
    op.drop_constraint(op.f("ck_delivery_settled_forgets_inputs"), "delivery")
    for column in ("refunded_at", "inputs", "terms", "receipt", "account_mask"):
        op.drop_column("delivery", column)
