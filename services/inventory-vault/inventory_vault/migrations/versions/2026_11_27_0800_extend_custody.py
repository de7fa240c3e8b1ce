"""Extend custody: proofs of seals (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A seal begins under a living key only. FOR SHARE waits for whoever retires that very key, so a key
# is never destroyed while an import begins under it.
SEAL_OF_LIVING_KEY = """
CREATE FUNCTION vault_check_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM sealing_key
    WHERE key_id = NEW.key_id AND state IN ('active', 'open_only') FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the sealing key of this lot is not in use'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'lot_seal_of_living_key';
  END IF;
  RETURN NEW;
END $$
"""

SEAL_GUARD = """
CREATE TRIGGER lot_seal_of_living_key BEFORE INSERT ON lot_seal
FOR EACH ROW EXECUTE FUNCTION vault_check_seal()
"""


def upgrade() -> None:
    op.create_table(
        "opener_secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_opener_secret")),
    )
    op.add_column("lot_seal", sa.Column("proof", sa.LargeBinary(), nullable=True))
    op.create_check_constraint(op.f("ck_lot_seal_proof"), "lot_seal", "octet_length(proof) = 32")
    op.execute(SEAL_OF_LIVING_KEY)
    op.execute(SEAL_GUARD)


def downgrade() -> None:
    op.execute("DROP TRIGGER lot_seal_of_living_key ON lot_seal")
    op.execute("DROP FUNCTION vault_check_seal")
    op.drop_constraint(op.f("ck_lot_seal_proof"), "lot_seal")
    op.drop_column("lot_seal", "proof")
    op.drop_table("opener_secret")
