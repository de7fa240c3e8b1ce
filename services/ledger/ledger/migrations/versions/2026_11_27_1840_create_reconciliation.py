"""Create what statements are held against, and their cases (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Who closed a case, when and why stays as it was written, and so does the case.
GUARDS = (
    """
    CREATE FUNCTION ledger_case_closed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a closed case is never changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_case_closed';
    END $$
    """,
    """
    CREATE TRIGGER reconciliation_case_closed BEFORE UPDATE OR DELETE ON reconciliation_case
    FOR EACH ROW WHEN (OLD.state = 'closed') EXECUTE FUNCTION ledger_case_closed()
    """,
    """
    CREATE TRIGGER reconciliation_case_kept BEFORE TRUNCATE ON reconciliation_case
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_case_closed()
    """,
)


def upgrade() -> None:
    op.create_table(
        "order_reference",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_reference")),
    )
    op.create_table(
        "payment_fact",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("listed_in", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_payment_fact")),
    )
    op.create_index(
        "ix_payment_fact_happened_at", "payment_fact", ["merchant_id", "happened_at"], unique=False
    )
    op.create_index(
        "ix_payment_fact_reference",
        "payment_fact",
        ["merchant_id", "provider", "reference"],
        unique=False,
    )
    op.create_index(
        "ix_payment_fact_unlisted",
        "payment_fact",
        ["happened_at"],
        unique=False,
        postgresql_where=sa.text("listed_in IS NULL"),
    )
    op.create_table(
        "reconciliation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("match_by", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="reading", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("period_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lines", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refused", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "results",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(channel_id IS NULL) = (provider <> '')", name=op.f("ck_reconciliation_one_source")
        ),
        sa.CheckConstraint(
            "state IN ('reading', 'completed', 'failed')",
            name=op.f("ck_reconciliation_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation")),
        sa.UniqueConstraint(
            "merchant_id", "digest", name=op.f("uq_reconciliation_merchant_id_digest")
        ),
    )
    op.create_index(
        "ix_reconciliation_merchant_id_id", "reconciliation", ["merchant_id", "id"], unique=False
    )
    op.create_table(
        "reconciliation_case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reconciliation_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("there_minor", sa.BigInteger(), nullable=True),
        sa.Column("here_minor", sa.BigInteger(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL AND closed_by <> '' AND reason <> '')",
            name=op.f("ck_reconciliation_case_closed_says_how"),
        ),
        sa.CheckConstraint(
            "kind IN ('missing_here', 'missing_there', 'amount_differs')",
            name=op.f("ck_reconciliation_case_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'closed')", name=op.f("ck_reconciliation_case_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_case")),
        sa.UniqueConstraint(
            "merchant_id",
            "source",
            "reference",
            "kind",
            name=op.f("uq_reconciliation_case_merchant_id_source_reference_kind"),
        ),
    )
    op.create_index(
        "ix_reconciliation_case_merchant_id_id",
        "reconciliation_case",
        ["merchant_id", "id"],
        unique=False,
    )
    op.create_table(
        "reconciliation_line",
        sa.Column("reconciliation_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reconciliation_id"],
            ["reconciliation.id"],
            name=op.f("fk_reconciliation_line_reconciliation_id_reconciliation"),
        ),
        sa.PrimaryKeyConstraint("reconciliation_id", "line", name=op.f("pk_reconciliation_line")),
    )
    op.create_index(
        "ix_reconciliation_line_reference",
        "reconciliation_line",
        ["reconciliation_id", "reference"],
        unique=False,
    )
    for guard in GUARDS:
        op.execute(guard)


def downgrade() -> None:
    op.drop_table("reconciliation_line")
    op.drop_table("reconciliation_case")
    op.execute("DROP FUNCTION ledger_case_closed")
    op.drop_table("reconciliation")
    op.drop_table("payment_fact")
    op.drop_table("order_reference")
