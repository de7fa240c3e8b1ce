"""Extend imports (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_box_uploads()


def downgrade() -> None:
    _drop_box_uploads()


def _create_box_uploads() -> None:
    """Stock that the shop seals itself: it comes in parts, and may rest for hours between them."""
    op.add_column(
        "stock_import",
        sa.Column("idle_seconds_max", sa.Integer(), server_default="120", nullable=False),
    )
    op.add_column("stock_import", sa.Column("parts_stored", sa.Integer(), nullable=True))
    op.create_table(
        "box_upload",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("unit_cost", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("has_unit_expiry", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("unit_cost >= 0", name=op.f("ck_box_upload_unit_cost")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["stock_import.id"], name=op.f("fk_box_upload_import_id_stock_import")
        ),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_box_upload")),
    )
    op.create_table(
        "box_part",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column(
            "stored_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("part BETWEEN 1 AND 10000", name=op.f("ck_box_part_part")),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ck_box_part_digest")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["box_upload.import_id"], name=op.f("fk_box_part_import_id_box_upload")
        ),
        sa.PrimaryKeyConstraint("import_id", "part", name=op.f("pk_box_part")),
    )


def _drop_box_uploads() -> None:
    op.drop_table("box_part")
    op.drop_table("box_upload")
    op.drop_column("stock_import", "parts_stored")
    op.drop_column("stock_import", "idle_seconds_max")
