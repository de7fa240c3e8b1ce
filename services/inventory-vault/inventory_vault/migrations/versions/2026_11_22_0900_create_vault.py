"""Create the vault: backbone, stock, reservations, logs, imports, keys, and their guards."""

import sqlalchemy as sa
from alembic import op

from kit import backbone

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# What a program cannot be trusted with. The conditions stand in WHEN: they cost nothing on the
# way of a legal change, and only a refused one ever calls a function.
REFUSE = """
CREATE FUNCTION vault_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', TG_ARGV[0]
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$
"""

SALE_OF_RESERVED = """
CREATE FUNCTION vault_check_sales() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM added s
    LEFT JOIN allocation a ON a.lot_id = s.lot_id AND a.seq = s.seq
    WHERE a.state IS DISTINCT FROM 'sold' OR a.reservation_id IS DISTINCT FROM s.reservation_id
  ) THEN
    RAISE EXCEPTION 'a unit is sold only to the reservation that holds it'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'unit_sale_of_reserved';
  END IF;
  RETURN NULL;
END $$
"""

GUARDS = (
    REFUSE,
    SALE_OF_RESERVED,
    """
    CREATE TRIGGER unit_sale_of_reserved AFTER INSERT ON unit_sale
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION vault_check_sales()
    """,
    """
    CREATE TRIGGER allocation_begins_reserved BEFORE INSERT ON allocation FOR EACH ROW
    WHEN (NEW.state <> 'reserved')
    EXECUTE FUNCTION vault_refuse('an allocation begins as reserved')
    """,
    """
    CREATE TRIGGER allocation_goes_forward BEFORE UPDATE ON allocation FOR EACH ROW
    WHEN (
      (NEW.lot_id, NEW.seq, NEW.reservation_id, NEW.line_no, NEW.merchant_id)
        IS DISTINCT FROM (OLD.lot_id, OLD.seq, OLD.reservation_id, OLD.line_no, OLD.merchant_id)
      OR (OLD.state, NEW.state) NOT IN (
        ('reserved', 'sold'), ('sold', 'opened'), ('sold', 'redeemed'), ('opened', 'redeemed'))
    )
    EXECUTE FUNCTION vault_refuse('an allocation keeps its owner and goes forward only')
    """,
    """
    CREATE TRIGGER allocation_lets_go_of_reserved BEFORE DELETE ON allocation FOR EACH ROW
    WHEN (OLD.state <> 'reserved')
    EXECUTE FUNCTION vault_refuse('a sold unit never goes back')
    """,
    """
    CREATE TRIGGER reservation_ends_once BEFORE UPDATE ON reservation FOR EACH ROW
    WHEN (OLD.status IN ('sold', 'released', 'expired') AND NEW.status <> OLD.status)
    EXECUTE FUNCTION vault_refuse('a settled reservation stays settled')
    """,
    """
    CREATE TRIGGER lot_cursor_goes_forward BEFORE UPDATE ON lot FOR EACH ROW
    WHEN (NEW.next_seq < OLD.next_seq OR (OLD.state <> 'importing' AND NEW.size <> OLD.size))
    EXECUTE FUNCTION vault_refuse('a cursor goes forward only')
    """,
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('{table} is append-only')
        """
        for table in ("unit_sale", "unit_view", "handout")
    ),
    """
    CREATE TRIGGER allocation_is_not_emptied BEFORE TRUNCATE ON allocation
    FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('allocations are not emptied')
    """,
)


TABLES = (
    "sealing_key",
    "stock_import_line",
    "stock_import",
    "unit_view",
    "handout",
    "reservation_line",
    "reservation",
    "unit_sale",
    "withdrawn_unit",
    "free_unit",
    "allocation",
    "unit",
    "lot_tally",
    "lot_seal",
    "lot",
    "pool",
)


def upgrade() -> None:
    backbone.create(op)
    _create_stock()
    _create_movements()
    _create_reservations()
    _create_imports()
    for statement in GUARDS:
        op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION vault_refuse, vault_check_sales")
    backbone.drop(op)


def _create_stock() -> None:
    op.create_table(
        "pool",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit_kind", sa.Text(), nullable=False),
        sa.Column("low_stock_threshold", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "unit_kind IN ('card', 'code', 'link', 'image', 'voucher', 'reusable')",
            name=op.f("ck_pool_unit_kind"),
        ),
        sa.CheckConstraint("low_stock_threshold >= 0", name=op.f("ck_pool_low_stock_threshold")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool")),
    )
    op.create_index("ix_pool_merchant_id_id", "pool", ["merchant_id", "id"], unique=False)
    op.create_table(
        "lot",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_seq", sa.Integer(), server_default="1", nullable=False),
        sa.Column("free_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("withdrawn_ahead", sa.Integer(), server_default="0", nullable=False),
        sa.Column("has_stock", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("mixed_expiry", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("head_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unit_cost", sa.BigInteger(), nullable=False),
        sa.Column("total_cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("on_shelf_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_lot_currency")),
        sa.CheckConstraint(
            "state IN ('importing', 'on_shelf', 'quarantined', 'void')", name=op.f("ck_lot_state")
        ),
        sa.CheckConstraint("free_count BETWEEN 0 AND next_seq - 1", name=op.f("ck_lot_free_count")),
        sa.CheckConstraint(
            "size >= 0 AND next_seq BETWEEN 1 AND size + 1", name=op.f("ck_lot_cursor")
        ),
        sa.CheckConstraint("unit_cost >= 0 AND total_cost >= 0", name=op.f("ck_lot_cost")),
        sa.CheckConstraint(
            "withdrawn_ahead BETWEEN 0 AND size - next_seq + 1", name=op.f("ck_lot_withdrawn_ahead")
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_lot_pool_id_pool")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index("ix_lot_pool_id", "lot", ["pool_id"], unique=False)
    op.create_index(
        "ix_lot_pool_id_has_stock",
        "lot",
        ["pool_id"],
        unique=False,
        postgresql_where=sa.text("has_stock AND state = 'on_shelf'"),
    )
    op.create_table(
        "lot_seal",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("seal_no", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("sender_public_key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "octet_length(sender_public_key) = 32", name=op.f("ck_lot_seal_sender_public_key")
        ),
        sa.ForeignKeyConstraint(
            ["lot_id"], ["lot.id"], name=op.f("fk_lot_seal_lot_id_lot"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lot_id", "seal_no", name=op.f("pk_lot_seal")),
    )
    op.create_table(
        "lot_tally",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("sold", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("redeemed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expired", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.Integer(), server_default="0", nullable=False),
        sa.Column("void", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "expired >= 0 AND quarantined >= 0 AND void >= 0", name=op.f("ck_lot_tally_withdrawn")
        ),
        sa.CheckConstraint(
            "sold >= 0 AND opened >= 0 AND redeemed >= 0", name=op.f("ck_lot_tally_sold")
        ),
        sa.ForeignKeyConstraint(
            ["lot_id"], ["lot.id"], name=op.f("fk_lot_tally_lot_id_lot"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lot_tally")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "unit",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("seal_no", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("mask", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("unit_cost", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(nonce) = 24", name=op.f("ck_unit_nonce")),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_unit_seq")),
        sa.CheckConstraint("unit_cost >= 0", name=op.f("ck_unit_unit_cost")),
        sa.PrimaryKeyConstraint("lot_id", "seq", name=op.f("pk_unit")),
        sa.UniqueConstraint(
            "merchant_id", "fingerprint", name=op.f("uq_unit_merchant_id_fingerprint")
        ),
        sa.UniqueConstraint("unit_id", name=op.f("uq_unit_unit_id")),
    )


def _create_movements() -> None:
    op.create_table(
        "allocation",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('reserved', 'sold', 'opened', 'redeemed')", name=op.f("ck_allocation_state")
        ),
        sa.PrimaryKeyConstraint("lot_id", "seq", name=op.f("pk_allocation")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_allocation_reservation_id", "allocation", ["reservation_id"], unique=False)
    op.create_table(
        "free_unit",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("lot_id", "seq", name=op.f("pk_free_unit")),
    )
    op.create_table(
        "withdrawn_unit",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "withdrawn_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('expired', 'quarantined', 'void')", name=op.f("ck_withdrawn_unit_state")
        ),
        sa.PrimaryKeyConstraint("lot_id", "seq", name=op.f("pk_withdrawn_unit")),
    )
    op.create_table(
        "unit_sale",
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.SmallInteger(), nullable=False),
        sa.Column(
            "sold_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_unit_sale")),
    )


def _create_reservations() -> None:
    op.create_table(
        "reservation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status <> 'held') OR (expires_at IS NOT NULL)",
            name=op.f("ck_reservation_hold_is_limited"),
        ),
        sa.CheckConstraint(
            "status IN ('held', 'secured', 'sold', 'released', 'expired')",
            name=op.f("ck_reservation_status"),
        ),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_reservation_quantity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
        sa.UniqueConstraint(
            "merchant_id", "reference", name=op.f("uq_reservation_merchant_id_reference")
        ),
    )
    op.create_index(
        "ix_reservation_due",
        "reservation",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_table(
        "reservation_line",
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "quantity BETWEEN 1 AND 10000", name=op.f("ck_reservation_line_quantity")
        ),
        sa.PrimaryKeyConstraint("reservation_id", "line_no", name=op.f("pk_reservation_line")),
    )
    op.create_table(
        "handout",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_public_key", sa.LargeBinary(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "octet_length(recipient_public_key) = 32", name=op.f("ck_handout_recipient_public_key")
        ),
        sa.ForeignKeyConstraint(
            ["reservation_id"],
            ["reservation.id"],
            name=op.f("fk_handout_reservation_id_reservation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handout")),
    )
    op.create_index("ix_handout_reservation_id", "handout", ["reservation_id"], unique=False)
    op.create_table(
        "unit_view",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_public_key", sa.LargeBinary(), nullable=False),
        sa.Column("viewer_kind", sa.Text(), nullable=False),
        sa.Column("viewer_id", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "octet_length(recipient_public_key) = 32",
            name=op.f("ck_unit_view_recipient_public_key"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_view")),
    )
    op.create_index("ix_unit_view_unit_id_id", "unit_view", ["unit_id", "id"], unique=False)


def _create_imports() -> None:
    op.create_table(
        "stock_import",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=True),
        sa.Column("separator", sa.Text(), nullable=True),
        sa.Column("lines_read", sa.Integer(), server_default="0", nullable=False),
        sa.Column("accepted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("duplicates", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "alive_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('running', 'completed', 'failed', 'dry_run')",
            name=op.f("ck_stock_import_status"),
        ),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["pool.id"], name=op.f("fk_stock_import_pool_id_pool")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_import")),
    )
    op.create_index(
        "ix_stock_import_running",
        "stock_import",
        ["alive_at"],
        unique=False,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_stock_import_undone",
        "stock_import",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'failed' AND lot_id IS NOT NULL"),
    )
    op.create_table(
        "stock_import_line",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["stock_import.id"],
            name=op.f("fk_stock_import_line_import_id_stock_import"),
        ),
        sa.PrimaryKeyConstraint("import_id", "line", name=op.f("pk_stock_import_line")),
    )
    op.create_table(
        "sealing_key",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('active', 'open_only', 'retired')", name=op.f("ck_sealing_key_state")
        ),
        sa.CheckConstraint("octet_length(public_key) = 32", name=op.f("ck_sealing_key_public_key")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_sealing_key")),
    )
    op.create_index(
        "uq_sealing_key_active",
        "sealing_key",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
    )
