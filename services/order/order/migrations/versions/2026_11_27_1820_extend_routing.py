"""What substitutes take of purchase limits, apart from their orders (pre: the code needs it)."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UPGRADE = (
    """
    ALTER TABLE limit_use
      ADD COLUMN line_id UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL
    """,
    "ALTER TABLE limit_use DROP CONSTRAINT pk_limit_use",
    """
    ALTER TABLE limit_use
      ADD CONSTRAINT pk_limit_use PRIMARY KEY (order_id, line_id, product_id, per)
    """,
)
_DOWNGRADE = (
    "ALTER TABLE limit_use DROP CONSTRAINT pk_limit_use",
    # The release before knows one use per order and product.
    """
    DELETE FROM limit_use u USING limit_use other
    WHERE other.order_id = u.order_id AND other.product_id = u.product_id
      AND other.per = u.per AND other.line_id < u.line_id
    """,
    "ALTER TABLE limit_use DROP COLUMN line_id",
    "ALTER TABLE limit_use ADD CONSTRAINT pk_limit_use PRIMARY KEY (order_id, product_id, per)",
)


def upgrade() -> None:
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWNGRADE:
        op.execute(statement)
