"""Extend shelves and reservations: not yet active stock, gaps ahead of a cursor, guards of states
(pre: the code needs it; the vault is stopped for it, as a column changes its name)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NOT_TAKEN = """
CREATE FUNCTION vault_check_withdrawals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM added w JOIN allocation a ON a.lot_id = w.lot_id AND a.seq = w.seq
  ) THEN
    RAISE EXCEPTION 'what is held or sold is not withdrawn'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'withdrawn_unit_is_not_taken';
  END IF;
  RETURN NULL;
END $$
"""

# OF state: the sale changes other columns of the same row and never meets this one.
LOT_STATE = """
CREATE TRIGGER lot_state_goes_its_way BEFORE UPDATE OF state ON lot FOR EACH ROW
WHEN (NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
  ('importing', 'on_shelf'), ('importing', 'inactive'), ('importing', 'undone'),
  ('inactive', 'on_shelf'), ('inactive', 'void'), ('inactive', 'undone'),
  ('on_shelf', 'quarantined'), ('on_shelf', 'void'), ('on_shelf', 'undone'),
  ('quarantined', 'on_shelf'), ('quarantined', 'void'), ('quarantined', 'undone')))
EXECUTE FUNCTION vault_refuse('a lot that is void or undone stays so, none becomes inactive again')
"""

GUARDS = (
    NOT_TAKEN,
    LOT_STATE,
    """
    CREATE TRIGGER lot_stays BEFORE DELETE ON lot FOR EACH ROW
    WHEN (OLD.state NOT IN ('importing', 'undone'))
    EXECUTE FUNCTION vault_refuse('a lot that was on the shelf stays in the books')
    """,
    """
    CREATE TRIGGER lot_is_not_emptied BEFORE TRUNCATE ON lot
    FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('lots are not emptied')
    """,
    """
    CREATE TRIGGER withdrawn_unit_is_not_taken AFTER INSERT ON withdrawn_unit
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION vault_check_withdrawals()
    """,
    """
    CREATE TRIGGER withdrawn_unit_goes_its_way BEFORE UPDATE ON withdrawn_unit FOR EACH ROW
    WHEN (
      (NEW.lot_id, NEW.seq, NEW.merchant_id) IS DISTINCT FROM (OLD.lot_id, OLD.seq, OLD.merchant_id)
      OR (OLD.state, NEW.state) NOT IN (('quarantined', 'void'), ('inactive', 'void'))
    )
    EXECUTE FUNCTION vault_refuse('only a quarantined or inactive unit becomes void')
    """,
    """
    CREATE TRIGGER withdrawn_unit_comes_back_living BEFORE DELETE ON withdrawn_unit FOR EACH ROW
    WHEN (OLD.state IN ('void', 'expired'))
    EXECUTE FUNCTION vault_refuse('void and expired units never come back')
    """,
    """
    CREATE TRIGGER withdrawn_unit_is_not_emptied BEFORE TRUNCATE ON withdrawn_unit
    FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('withdrawn units are not emptied')
    """,
)

TRIGGERS = (
    ("lot_state_goes_its_way", "lot"),
    ("lot_stays", "lot"),
    ("lot_is_not_emptied", "lot"),
    ("withdrawn_unit_is_not_taken", "withdrawn_unit"),
    ("withdrawn_unit_goes_its_way", "withdrawn_unit"),
    ("withdrawn_unit_comes_back_living", "withdrawn_unit"),
    ("withdrawn_unit_is_not_emptied", "withdrawn_unit"),
)

LOT_STATES = "state IN ('importing', 'inactive', 'on_shelf', 'quarantined', 'void', 'undone')"
OLD_LOT_STATES = "state IN ('importing', 'on_shelf', 'quarantined', 'void')"
UNIT_STATES = "state IN ('inactive', 'expired', 'quarantined', 'void')"
OLD_UNIT_STATES = "state IN ('expired', 'quarantined', 'void')"
TALLY = "expired >= 0 AND quarantined >= 0 AND void >= 0"
ACTIONS = "action IN ('quarantine', 'restore', 'void', 'activate')"
OLD_ACTIONS = "action IN ('quarantine', 'restore', 'void')"


def upgrade() -> None:
    _rename_gaps("withdrawn_ahead", "gaps_ahead")
    tally = sa.Column("inactive", sa.Integer(), server_default="0", nullable=False)
    op.add_column("lot_tally", tally)
    _change_check("lot_tally", "ck_lot_tally_withdrawn", f"{TALLY} AND inactive >= 0")
    _change_check("lot", "ck_lot_state", LOT_STATES)
    _change_check("withdrawn_unit", "ck_withdrawn_unit_state", UNIT_STATES)
    _change_check("stock_action", "ck_stock_action_action", ACTIONS)
    for statement in GUARDS:
        op.execute(statement)


def downgrade() -> None:
    for trigger, table in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    op.execute("DROP FUNCTION vault_check_withdrawals")
    _change_check("stock_action", "ck_stock_action_action", OLD_ACTIONS)
    _change_check("withdrawn_unit", "ck_withdrawn_unit_state", OLD_UNIT_STATES)
    _change_check("lot", "ck_lot_state", OLD_LOT_STATES)
    _change_check("lot_tally", "ck_lot_tally_withdrawn", TALLY)
    op.drop_column("lot_tally", "inactive")
    _rename_gaps("gaps_ahead", "withdrawn_ahead")


def _rename_gaps(before: str, after: str) -> None:
    op.alter_column("lot", before, new_column_name=after)
    op.execute(f"ALTER TABLE lot RENAME CONSTRAINT ck_lot_{before} TO ck_lot_{after}")
    # From PostgreSQL 18 on, NOT NULL is a constraint with a name of its own.
    op.execute(
        f"""
        DO $$ BEGIN
          IF EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'lot_{before}_not_null') THEN
            ALTER TABLE lot RENAME CONSTRAINT lot_{before}_not_null TO lot_{after}_not_null;
          END IF;
        END $$
        """  # noqa: S608 - constant names
    )


def _change_check(table: str, name: str, condition: str) -> None:
    op.drop_constraint(op.f(name), table, type_="check")
    op.create_check_constraint(op.f(name), table, condition)
