"""Create the audit log (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# vault_refuse is of 0001. A statement trigger also sees TRUNCATE, which row triggers do not.
GUARDS = (
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('{table} is append-only')
        """
        for table in ("audit_entry", "audit_checkpoint")
    ),
    """
    CREATE TRIGGER audit_pending_is_not_changed BEFORE UPDATE OR TRUNCATE ON audit_pending
    FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('entries that wait are not changed')
    """,
    """
    CREATE TRIGGER audit_tile_stays BEFORE DELETE OR TRUNCATE ON audit_tile
    FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('a tile stays')
    """,
    """
    CREATE TRIGGER audit_tile_only_grows BEFORE UPDATE ON audit_tile FOR EACH ROW
    WHEN (
      (NEW.level, NEW.idx) IS DISTINCT FROM (OLD.level, OLD.idx)
      OR substr(NEW.hashes, 1, octet_length(OLD.hashes)) IS DISTINCT FROM OLD.hashes
    )
    EXECUTE FUNCTION vault_refuse('a tile only grows')
    """,
)


def upgrade() -> None:
    _create_entries()
    _create_tree()
    for statement in GUARDS:
        op.execute(statement)
    # Keys the digest of the viewer that stands in the log: without it the digest says nothing.
    op.add_column("unit_view", sa.Column("salt", sa.LargeBinary(), nullable=True))
    op.create_check_constraint(op.f("ck_unit_view_salt"), "unit_view", "octet_length(salt) = 16")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_unit_view_salt"), "unit_view")
    op.drop_column("unit_view", "salt")
    for table in ("audit_checkpoint", "audit_tile", "audit_entry", "audit_pending"):
        op.drop_table(table)


def _create_entries() -> None:
    op.create_table(
        "audit_pending",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "noted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("octet_length(leaf_hash) = 32", name=op.f("ck_audit_pending_leaf_hash")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_pending")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_audit_entry_seq")),
        sa.CheckConstraint("octet_length(leaf_hash) = 32", name=op.f("ck_audit_entry_leaf_hash")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_entry_entry_id")),
    )
    op.create_index("ix_audit_entry_merchant_id_seq", "audit_entry", ["merchant_id", "seq"])
    op.create_index("ix_audit_entry_object_id", "audit_entry", ["object_id"])


def _create_tree() -> None:
    op.create_table(
        "audit_tile",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("level BETWEEN 0 AND 7 AND idx >= 0", name=op.f("ck_audit_tile_place")),
        sa.CheckConstraint(
            "octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0",
            name=op.f("ck_audit_tile_hashes"),
        ),
        sa.PrimaryKeyConstraint("level", "idx", name=op.f("pk_audit_tile")),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("size >= 1", name=op.f("ck_audit_checkpoint_size")),
        sa.CheckConstraint("octet_length(root) = 32", name=op.f("ck_audit_checkpoint_root")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoint")),
    )
