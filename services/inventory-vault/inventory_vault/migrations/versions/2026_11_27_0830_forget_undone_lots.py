"""Let the withdrawn units of an undone lot go with it (pre: the code needs it)."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Only lots that are importing or undone are deleted: `lot_stays` sees to that, so one that is gone
# was undone. The statement that deletes a lot may do so before it comes to these rows.
CHECK = """
CREATE FUNCTION vault_check_withdrawn_goes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM lot WHERE id = OLD.lot_id AND state NOT IN ('importing', 'undone')
  ) THEN
    RAISE EXCEPTION 'void and expired units never come back'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN OLD;
END $$
"""


def upgrade() -> None:
    op.execute(CHECK)
    _replace("vault_check_withdrawn_goes()")


def downgrade() -> None:
    _replace("vault_refuse('void and expired units never come back')")
    op.execute("DROP FUNCTION vault_check_withdrawn_goes")


def _replace(function: str) -> None:
    op.execute("DROP TRIGGER withdrawn_unit_comes_back_living ON withdrawn_unit")
    op.execute(
        f"""
        CREATE TRIGGER withdrawn_unit_comes_back_living BEFORE DELETE ON withdrawn_unit FOR EACH ROW
        WHEN (OLD.state IN ('void', 'expired')) EXECUTE FUNCTION {function}
        """
    )
