"""Codes for challenged orders (pre: the code needs it)."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = ("contact", "message")


def upgrade() -> None:
    """A challenged order has a contact and a message before it has a request."""
    for table in _TABLES:
        op.drop_constraint(f"fk_{table}_order_id_request", table, type_="foreignkey")


def downgrade() -> None:
    """What belongs to challenged orders that were never requested goes."""
    op.execute(
        "DELETE FROM message_attempt a USING message m WHERE m.id = a.message_id "
        "AND NOT EXISTS (SELECT FROM request r WHERE r.order_id = m.order_id)"
    )
    for table in reversed(_TABLES):
        op.execute(
            f"DELETE FROM {table} t "  # noqa: S608 - names of this file
            "WHERE NOT EXISTS (SELECT FROM request r WHERE r.order_id = t.order_id)"
        )
        op.create_foreign_key(
            f"fk_{table}_order_id_request", table, "request", ["order_id"], ["order_id"]
        )
