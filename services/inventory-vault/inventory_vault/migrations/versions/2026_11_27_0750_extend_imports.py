"""Extend imports: they can be resumed; marks (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATUSES = "status IN ('running', 'interrupted', 'completed', 'failed', 'dry_run')"
OLD_STATUSES = "status IN ('running', 'completed', 'failed', 'dry_run')"


def upgrade() -> None:
    _create_box_uploads()
    _add_resuming()
    _add_marks()


def downgrade() -> None:
    _drop_marks()
    _drop_resuming()
    _drop_box_uploads()


# What an import needs to go on, and how far it is.
def _resuming_columns() -> list[sa.Column[object]]:
    moment = sa.DateTime(timezone=True)
    return [
        sa.Column("supplier", sa.Text(), nullable=True),
        sa.Column("unit_cost", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("expires_at", moment, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("options", sa.Text(), nullable=True),
        sa.Column("file_digest", sa.LargeBinary(), nullable=True),
        sa.Column("is_dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "needs_activation", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("phase", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("chunks_stored", sa.Integer(), server_default="0", nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("units", sa.Integer(), server_default="0", nullable=False),
        sa.Column("duplicates_elsewhere", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total_cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("is_mixed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("head_expires_at", moment, nullable=True),
        sa.Column("interrupted_at", moment, nullable=True),
    ]


def _add_resuming() -> None:
    for column in _resuming_columns():
        op.add_column("stock_import", column)
    op.drop_constraint(op.f("ck_stock_import_status"), "stock_import", type_="check")
    op.create_check_constraint(op.f("ck_stock_import_status"), "stock_import", STATUSES)
    op.create_check_constraint(
        op.f("ck_stock_import_phase"),
        "stock_import",
        "phase IN ('waiting', 'reading', 'storing', 'done')",
    )
    op.create_check_constraint(
        op.f("ck_stock_import_interrupted"),
        "stock_import",
        "status <> 'interrupted' OR interrupted_at IS NOT NULL",
    )
    op.create_index("ix_stock_import_merchant_id_id", "stock_import", ["merchant_id", "id"])
    op.create_index(
        "ix_stock_import_interrupted",
        "stock_import",
        ["interrupted_at"],
        postgresql_where=sa.text("status = 'interrupted'"),
    )


def _drop_resuming() -> None:
    op.drop_index("ix_stock_import_interrupted", "stock_import")
    op.drop_index("ix_stock_import_merchant_id_id", "stock_import")
    for name in ("interrupted", "phase", "status"):
        op.drop_constraint(op.f(f"ck_stock_import_{name}"), "stock_import", type_="check")
    op.execute("UPDATE stock_import SET status = 'failed' WHERE status = 'interrupted'")
    op.create_check_constraint(op.f("ck_stock_import_status"), "stock_import", OLD_STATUSES)
    for column in reversed(_resuming_columns()):
        op.drop_column("stock_import", str(column.name))


def _add_marks() -> None:
    op.add_column("unit", sa.Column("mark", sa.BigInteger(), nullable=True))
    op.create_index("ix_lot_undone", "lot", ["id"], postgresql_where=sa.text("state = 'undone'"))
    op.create_index("ix_unit_mark", "unit", ["mark"], postgresql_where=sa.text("mark IS NOT NULL"))


def _drop_marks() -> None:
    op.drop_index("ix_unit_mark", "unit")
    op.drop_index("ix_lot_undone", "lot")
    op.drop_column("unit", "mark")


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
