"""How long a review may wait each time it opens (pre: the code needs it)."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE review ADD COLUMN minutes integer")
    # Of one that was reopened the time since it first opened was added each time.
    op.execute("""
        UPDATE review SET minutes = round(extract(epoch FROM due_at - coalesce(
            (SELECT max(at) FROM review_act WHERE review_id = review.id AND act = 'reopened'),
            opened_at)) / 60)
        WHERE due_at IS NOT NULL AND status IN ('open', 'lapsed')
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE review DROP COLUMN minutes")
