"""What suppliers' purchases lacked, and pages (pre: the code needs it).

The choice a purchase came of; pools for codes that came without one; a second secret of callbacks;
whose turn it is to put a lot back; one-time codes by product.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_STATES = "'sealed', 'stored', 'refused', 'resealing'"
_ENDED = "'stored', 'refused'"


def upgrade() -> None:
    op.add_column("purchase", sa.Column("choice", JSONB()))
    op.add_column("supplier", sa.Column("former_callback_secret", sa.LargeBinary()))
    op.add_column("supplier", sa.Column("former_callback_until", sa.DateTime(timezone=True)))
    op.create_check_constraint(
        op.f("ck_supplier_former_callback_secret_ends"),
        "supplier",
        "(former_callback_secret IS NULL) = (former_callback_until IS NULL)",
    )
    op.create_table(
        "page_product_setting",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("step_up", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "step_up IN ('none', 'code')", name=op.f("ck_page_product_setting_step_up_known")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "sku", name=op.f("pk_page_product_setting")),
    )
    op.add_column("lot_quarantine", sa.Column("restore_lease_id", sa.Uuid()))
    for name in ("kind", "refused_as"):
        op.add_column("arrival", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("arrival", sa.Column("placed_by", sa.Text()))
    op.create_index(
        "ix_arrival_merchant_id_created_at_id", "arrival", ["merchant_id", "created_at", "id"]
    )
    _bound("arrival", "state_known", f"state IN ({_STATES}, 'lost')")
    _bound("arrival", "ended_has_time", f"(state IN ({_ENDED}, 'lost')) = (ended_at IS NOT NULL)")


def downgrade() -> None:
    op.execute("UPDATE arrival SET state = 'refused' WHERE state = 'lost'")
    _bound("arrival", "state_known", f"state IN ({_STATES})")
    _bound("arrival", "ended_has_time", f"(state IN ({_ENDED})) = (ended_at IS NOT NULL)")
    op.drop_index("ix_arrival_merchant_id_created_at_id", "arrival")
    for name in ("placed_by", "refused_as", "kind"):
        op.drop_column("arrival", name)
    op.drop_table("page_product_setting")
    op.drop_column("lot_quarantine", "restore_lease_id")
    for name in ("former_callback_until", "former_callback_secret"):
        op.drop_column("supplier", name)
    op.drop_column("purchase", "choice")


def _bound(table: str, name: str, condition: str) -> None:
    """Another rule under the name of the one before."""
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
