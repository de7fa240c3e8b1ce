"""What a buyer's page asks for and shows (pre: the code needs it)."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_FORTH = ("ALTER TABLE delivered_unit ADD COLUMN expires_at TIMESTAMPTZ",)
_BACK = ("ALTER TABLE delivered_unit DROP COLUMN expires_at",)


def upgrade() -> None:
    for statement in _FORTH:
        op.execute(statement)


def downgrade() -> None:
    for statement in _BACK:
        op.execute(statement)
