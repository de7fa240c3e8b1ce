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
    op.add_column("lot_seal", sa.Column("units", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_lot_seal_units"), "lot_seal", "units >= 0")
    op.create_index("ix_lot_seal_key_id", "lot_seal", ["key_id", "lot_id"])
    _extend_keys()
    op.execute(SEAL_OF_LIVING_KEY)
    op.execute(SEAL_GUARD)


def _extend_keys() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("sealing_key", sa.Column("rotated_at", moment, nullable=True))
    op.add_column("sealing_key", sa.Column("retired_at", moment, nullable=True))
    op.drop_constraint(op.f("ck_sealing_key_state"), "sealing_key")
    op.create_check_constraint(
        op.f("ck_sealing_key_state"),
        "sealing_key",
        "state IN ('active', 'open_only', 'retired', 'compromised')",
    )
    op.create_check_constraint(
        op.f("ck_sealing_key_destroyed"),
        "sealing_key",
        "state <> 'retired' OR octet_length(wrapped_private_key) = 0",
    )
    op.create_table(
        "key_rotation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("old_key_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column(
            "requested_at",
            moment,
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("finished_at", moment, nullable=True),
        sa.CheckConstraint("state IN ('running', 'finished')", name=op.f("ck_key_rotation_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_rotation")),
    )
    op.create_index(
        "uq_key_rotation_running",
        "key_rotation",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER lot_seal_of_living_key ON lot_seal")
    op.execute("DROP FUNCTION vault_check_seal")
    op.drop_table("key_rotation")
    op.drop_constraint(op.f("ck_sealing_key_destroyed"), "sealing_key")
    op.drop_constraint(op.f("ck_sealing_key_state"), "sealing_key")
    op.create_check_constraint(
        op.f("ck_sealing_key_state"), "sealing_key", "state IN ('active', 'open_only', 'retired')"
    )
    op.drop_column("sealing_key", "retired_at")
    op.drop_column("sealing_key", "rotated_at")
    op.drop_index("ix_lot_seal_key_id", "lot_seal")
    op.drop_column("lot_seal", "units")
    op.drop_constraint(op.f("ck_lot_seal_proof"), "lot_seal")
    op.drop_column("lot_seal", "proof")
    op.drop_table("opener_secret")
