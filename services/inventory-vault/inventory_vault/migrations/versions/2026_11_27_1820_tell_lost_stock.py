"""What the books were told of lost units (pre: the code needs it)."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UP = (
    "ALTER TABLE lot_tally ADD COLUMN written_off integer NOT NULL DEFAULT '0'",
    """
    CREATE TABLE written_off_unit (
      lot_id uuid NOT NULL,
      seq integer NOT NULL,
      merchant_id uuid NOT NULL,
      is_expired boolean NOT NULL,
      write_off_id uuid NOT NULL,
      written_off_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      CONSTRAINT pk_written_off_unit PRIMARY KEY (lot_id, seq)
    )
    """,
    """
    CREATE TABLE expired_voucher (
      unit_id uuid NOT NULL,
      merchant_id uuid NOT NULL,
      balance bigint NOT NULL,
      currency text NOT NULL,
      told_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      CONSTRAINT pk_expired_voucher PRIMARY KEY (unit_id)
    )
    """,
    """
    CREATE TRIGGER written_off_unit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON written_off_unit FOR EACH STATEMENT
    EXECUTE FUNCTION vault_refuse('written_off_unit is append-only')
    """,
)
DOWN = (
    "DROP TABLE expired_voucher, written_off_unit",
    "ALTER TABLE lot_tally DROP COLUMN written_off",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
