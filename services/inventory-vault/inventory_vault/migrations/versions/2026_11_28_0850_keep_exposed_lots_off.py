"""Keep lots under a compromised key off the shelf (pre: the code needs it)."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Two statements on purpose: who stops a key locks it, and the second one sees what was committed
# while the first one waited. So either that sees the lot on the shelf, or this the stopped key.
CHECK = """
CREATE FUNCTION vault_check_shelf() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM sealing_key
    WHERE key_id IN (SELECT key_id FROM lot_seal WHERE lot_id = NEW.id)
    ORDER BY key_id FOR SHARE;
  IF EXISTS (
    SELECT 1 FROM lot_seal s JOIN sealing_key k ON k.key_id = s.key_id
    WHERE s.lot_id = NEW.id AND k.state = 'compromised'
  ) THEN
    RAISE EXCEPTION 'a lot under a compromised key stays off the shelf'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$
"""

# OF state: the sale changes other columns of the same row and never meets this one.
GUARD = """
CREATE TRIGGER lot_of_unexposed_key BEFORE UPDATE OF state ON lot FOR EACH ROW
WHEN (NEW.state = 'on_shelf' AND OLD.state <> 'on_shelf')
EXECUTE FUNCTION vault_check_shelf()
"""


def upgrade() -> None:
    op.execute(CHECK)
    op.execute(GUARD)


def downgrade() -> None:
    op.execute("DROP TRIGGER lot_of_unexposed_key ON lot")
    op.execute("DROP FUNCTION vault_check_shelf")
