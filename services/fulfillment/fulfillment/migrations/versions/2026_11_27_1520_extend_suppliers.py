"""Suppliers of codes, and their callbacks (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("supplier", sa.Column("callback_secret", sa.LargeBinary()))
    op.add_column(
        "supplier", sa.Column("options", JSONB(), nullable=False, server_default=sa.text("'{}'"))
    )
    op.create_table(
        "supplier_callback",
        sa.Column("purchase_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False, server_default="1"),
        sa.Column(
            "heard_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        sa.CheckConstraint("times > 0", name=op.f("ck_supplier_callback_times_positive")),
        sa.ForeignKeyConstraint(
            ["purchase_id"], ["purchase.id"], name=op.f("fk_supplier_callback_purchase_id_purchase")
        ),
        sa.PrimaryKeyConstraint("purchase_id", "digest", name=op.f("pk_supplier_callback")),
    )


def downgrade() -> None:
    op.drop_table("supplier_callback")
    for column in ("options", "callback_secret"):
        op.drop_column("supplier", column)
