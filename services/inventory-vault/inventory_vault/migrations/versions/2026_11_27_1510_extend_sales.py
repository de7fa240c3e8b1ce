"""Sold units that are out of use (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_APPEND_ONLY = """
    CREATE TRIGGER unit_revocation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON unit_revocation FOR EACH STATEMENT
    EXECUTE FUNCTION vault_refuse('unit_revocation is append-only')
"""
# A function, so that it looks with a snapshot of its own: what was committed while the statement
# waited for the unit's lock is seen.
_IS_REVOKED = """
    CREATE FUNCTION vault_is_revoked(wanted uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
      RETURN EXISTS (SELECT 1 FROM unit_revocation WHERE unit_id = wanted);
    END $$
"""


def upgrade() -> None:
    op.create_table(
        "unit_revocation",
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "revoked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_unit_revocation")),
    )
    op.create_index("ix_unit_revocation_lot_id", "unit_revocation", ["lot_id"])
    op.execute(_APPEND_ONLY)
    op.execute(_IS_REVOKED)


def downgrade() -> None:
    op.execute("DROP FUNCTION vault_is_revoked(uuid)")
    op.drop_table("unit_revocation")
