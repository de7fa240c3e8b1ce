"""How many things are counted by for some merchants, as it is once a lock is held (pre: the code
needs it).
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Volatile, so that its own statement sees what was committed while the one around it waited.
WATCHED_WORDS = """
CREATE FUNCTION risk_watched_words(wanted uuid[]) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (SELECT count(*) FROM velocity_watch WHERE merchant_id = ANY(wanted));
END $$
"""


def upgrade() -> None:
    op.execute(WATCHED_WORDS)


def downgrade() -> None:
    op.execute("DROP FUNCTION risk_watched_words")
