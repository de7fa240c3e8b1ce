"""Lines that are asked for again, in another way: rounds, and a hold for each task."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FORTH = (
    """
    ALTER TABLE delivery
      ADD COLUMN round SMALLINT DEFAULT '1' NOT NULL,
      ADD COLUMN instead_of TEXT DEFAULT '' NOT NULL,
      DROP CONSTRAINT uq_delivery_line_id,
      ADD CONSTRAINT uq_delivery_line_id_round UNIQUE (line_id, round)
    """,
    """
    ALTER TABLE task
      ADD COLUMN reservation_id UUID,
      ADD COLUMN hold_has_more BOOLEAN DEFAULT false NOT NULL
    """,
    """
    UPDATE task SET reservation_id = request.reservation_id
    FROM request WHERE request.order_id = task.order_id AND task.state = 'pending'
    """,
)
# The way back needs a line to have been asked for once.
_BACK = (
    "ALTER TABLE task DROP COLUMN reservation_id, DROP COLUMN hold_has_more",
    """
    ALTER TABLE delivery
      DROP CONSTRAINT uq_delivery_line_id_round,
      ADD CONSTRAINT uq_delivery_line_id UNIQUE (line_id),
      DROP COLUMN round, DROP COLUMN instead_of
    """,
)


def upgrade() -> None:
    for statement in _FORTH:
        op.execute(statement)


def downgrade() -> None:
    for statement in _BACK:
        op.execute(statement)
