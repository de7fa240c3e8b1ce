"""Extend shelves and reservations: not yet active stock, gaps ahead of a cursor, guards of states
(pre: the code needs it; the vault is stopped for it, as a column changes its name)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

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
    # Rows that are there already keep their places.
    op.execute("ALTER TABLE allocation SET (fillfactor = 45)")
    _rename_gaps("withdrawn_ahead", "gaps_ahead")
    tally = sa.Column("inactive", sa.Integer(), server_default="0", nullable=False)
    op.add_column("lot_tally", tally)
    _change_check("lot_tally", "ck_lot_tally_withdrawn", f"{TALLY} AND inactive >= 0")
    _change_check("lot", "ck_lot_state", LOT_STATES)
    _change_check("withdrawn_unit", "ck_withdrawn_unit_state", UNIT_STATES)
    _change_check("stock_action", "ck_stock_action_action", ACTIONS)
    _create_gap_runs()
    _extend_reservations()
    _create_budgets()
    _create_cover()
    _create_checks()
    _extend_actions()
    for statement in GUARDS:
        op.execute(statement)


def downgrade() -> None:
    for trigger, table in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    op.execute("DROP FUNCTION vault_check_withdrawals")
    op.drop_index("ix_stock_action_merchant_id_id", "stock_action")
    op.drop_constraint(op.f("ck_stock_action_object"), "stock_action", type_="check")
    for column in ("units", "filter", "pool_id"):
        op.drop_column("stock_action", column)
    for table in ("lot_check", "pool_pace", "pool_sample", "hold_share"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_pool_low_cover_days"), "pool", type_="check")
    for column in ("hold_budget", "low_cover_days"):
        op.drop_column("pool", column)
    op.drop_column("reservation", "is_budgeted")
    op.drop_column("reservation", "sold_quantities")
    op.drop_column("reservation_line", "min_valid_seconds")
    op.drop_index("ix_unit_lot_id_expires_at", "unit")
    op.drop_table("gap_run")
    _change_check("stock_action", "ck_stock_action_action", OLD_ACTIONS)
    _change_check("withdrawn_unit", "ck_withdrawn_unit_state", OLD_UNIT_STATES)
    _change_check("lot", "ck_lot_state", OLD_LOT_STATES)
    _change_check("lot_tally", "ck_lot_tally_withdrawn", TALLY)
    op.drop_column("lot_tally", "inactive")
    _rename_gaps("gaps_ahead", "withdrawn_ahead")
    op.execute("ALTER TABLE allocation SET (fillfactor = 70)")


def _create_gap_runs() -> None:
    op.create_table(
        "gap_run",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("first_seq", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("last_seq >= first_seq", name=op.f("ck_gap_run_run")),
        sa.PrimaryKeyConstraint("lot_id", "first_seq", name=op.f("pk_gap_run")),
    )
    op.create_index(
        "ix_unit_lot_id_expires_at",
        "unit",
        ["lot_id", "expires_at", "seq"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )


def _extend_reservations() -> None:
    op.add_column("reservation", sa.Column("sold_quantities", sa.ARRAY(sa.Integer())))
    op.add_column(
        "reservation",
        sa.Column("is_budgeted", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    seconds = sa.Column("min_valid_seconds", sa.Integer(), server_default="0", nullable=False)
    op.add_column("reservation_line", seconds)
    op.create_check_constraint(
        op.f("ck_reservation_line_min_valid_seconds"), "reservation_line", "min_valid_seconds >= 0"
    )


def _create_budgets() -> None:
    op.add_column("pool", sa.Column("low_cover_days", sa.Integer()))
    op.add_column("pool", sa.Column("hold_budget", JSONB()))
    op.create_check_constraint(op.f("ck_pool_low_cover_days"), "pool", "low_cover_days >= 1")
    op.create_table(
        "hold_share",
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.LargeBinary(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "dimension IN ('buyer', 'ip', 'device', 'channel')",
            name=op.f("ck_hold_share_dimension"),
        ),
        sa.CheckConstraint("octet_length(holder) = 16", name=op.f("ck_hold_share_holder")),
        sa.CheckConstraint("units >= 1", name=op.f("ck_hold_share_units")),
        sa.PrimaryKeyConstraint(
            "reservation_id", "pool_id", "dimension", name=op.f("pk_hold_share")
        ),
    )
    op.create_index(
        "ix_hold_share_pool_id_dimension_holder", "hold_share", ["pool_id", "dimension", "holder"]
    )


def _create_cover() -> None:
    moment = sa.DateTime(timezone=True)
    now = sa.text("clock_timestamp()")
    op.create_table(
        "pool_sample",
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", moment, server_default=now, nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("sold", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("sold >= 0", name=op.f("ck_pool_sample_sold")),
        sa.PrimaryKeyConstraint("pool_id", "taken_at", name=op.f("pk_pool_sample")),
    )
    op.create_table(
        "pool_pace",
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("sold_per_day", sa.Float(), nullable=True),
        sa.Column("is_low", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("measured_at", moment, server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("pool_id", name=op.f("pk_pool_pace")),
    )


def _create_checks() -> None:
    op.create_table(
        "lot_check",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column(
            "checked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lot_check")),
    )


def _extend_actions() -> None:
    op.alter_column("stock_action", "lot_id", nullable=True)
    op.add_column("stock_action", sa.Column("pool_id", sa.Uuid()))
    op.add_column("stock_action", sa.Column("filter", JSONB()))
    op.add_column("stock_action", sa.Column("units", sa.Integer()))
    op.create_check_constraint(
        op.f("ck_stock_action_object"),
        "stock_action",
        "(lot_id IS NOT NULL) <> (pool_id IS NOT NULL AND filter IS NOT NULL AND units >= 0)",
    )
    op.create_index("ix_stock_action_merchant_id_id", "stock_action", ["merchant_id", "id"])


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
