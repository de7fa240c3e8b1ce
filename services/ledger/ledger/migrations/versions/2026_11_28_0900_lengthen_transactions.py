"""Let a transaction have more postings than 1,000 (pre: the code needs it)."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NAME = "ck_posting_line_no_range"


def upgrade() -> None:
    _count("line_no >= 1")


def downgrade() -> None:
    _count("line_no BETWEEN 1 AND 1000", "NOT VALID")  # what is longer stays


def _count(condition: str, validity: str = "") -> None:
    op.execute(
        f"ALTER TABLE posting DROP CONSTRAINT {NAME}, "
        f"ADD CONSTRAINT {NAME} CHECK ({condition}) {validity}"
    )
