"""What postings are about, in more detail (pre: the code needs it)."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = (
    """
    ALTER TABLE posting ADD COLUMN line_id uuid, ADD COLUMN supplier text, ADD COLUMN buyer text,
      ADD COLUMN buyer_group text, ADD COLUMN quantity integer
    """,
)
DOWN = (
    """
    ALTER TABLE posting DROP COLUMN quantity, DROP COLUMN buyer_group, DROP COLUMN buyer,
      DROP COLUMN supplier, DROP COLUMN line_id
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
