"""Let boxes be shredded after the retention time (pre: the code needs it; `unit` is read once)."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")

GUARDS = (
    """
    CREATE TRIGGER unit_stays_shredded BEFORE UPDATE ON unit FOR EACH ROW
    WHEN (OLD.shredding_id IS NOT NULL)
    EXECUTE FUNCTION vault_refuse('a shredded unit stays as it is')
    """,
    """
    CREATE TRIGGER shredding_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON shredding
    FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('shredding is append-only')
    """,
)


def upgrade() -> None:
    op.add_column("unit", sa.Column("shredding_id", sa.Uuid(), nullable=True))
    op.drop_constraint(op.f("ck_unit_nonce"), "unit")
    op.create_check_constraint(
        op.f("ck_unit_nonce"),
        "unit",
        "octet_length(nonce) = CASE WHEN shredding_id IS NULL THEN 24 ELSE 0 END",
    )
    op.create_check_constraint(
        op.f("ck_unit_shredded"), "unit", "shredding_id IS NULL OR octet_length(box) = 0"
    )
    _create_shredding()
    _create_progress()
    for table, column in (("unit_sale", "sold_at"), ("withdrawn_unit", "withdrawn_at")):
        op.create_index(
            f"ix_{table}_{column}",
            table,
            [column],
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on"},
        )
    for statement in GUARDS:
        op.execute(statement)


def _create_shredding() -> None:
    op.create_table(
        "shredding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.Column("shredded_at", MOMENT, server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "source IN ('sale', 'withdrawn', 'lot')", name=op.f("ck_shredding_source")
        ),
        sa.CheckConstraint("units >= 1", name=op.f("ck_shredding_units")),
        sa.CheckConstraint("retention_days >= 1", name=op.f("ck_shredding_retention_days")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shredding")),
    )
    op.create_index("ix_shredding_lot_id", "shredding", ["lot_id"])


def _create_progress() -> None:
    op.create_table(
        "shred_progress",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("done_until", MOMENT, nullable=False),
        sa.Column("slice_seconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("slice_seconds >= 1", name=op.f("ck_shred_progress_slice_seconds")),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_shred_progress")),
    )
    op.create_table(
        "shredded_lot",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("through_seq", sa.Integer(), nullable=False),
        sa.Column("saw_held", sa.Boolean(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.CheckConstraint("through_seq >= 0", name=op.f("ck_shredded_lot_through_seq")),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_shredded_lot")),
    )


def downgrade() -> None:
    """What was shredded stays so: with such units there is no way back."""
    op.execute("DROP TRIGGER unit_stays_shredded ON unit")
    op.drop_index("ix_withdrawn_unit_withdrawn_at", "withdrawn_unit")
    op.drop_index("ix_unit_sale_sold_at", "unit_sale")
    for table in ("shredded_lot", "shred_progress", "shredding"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_unit_shredded"), "unit", type_="check")
    op.drop_constraint(op.f("ck_unit_nonce"), "unit", type_="check")
    op.create_check_constraint(op.f("ck_unit_nonce"), "unit", "octet_length(nonce) = 24")
    op.drop_column("unit", "shredding_id")
