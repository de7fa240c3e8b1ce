"""Create voucher terms, redemptions and rollbacks, and their guards (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Who writes down a redemption cannot get the balance wrong: the database books it, and the checks
# of unit_balance refuse what is more than there is. The caller holds the allocation's lock.
BOOK_REDEMPTION = """
CREATE FUNCTION vault_book_redemption() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unit_balance AS b
    (lot_id, seq, merchant_id, face_value, currency, redeemed, standing, state_before)
  SELECT u.lot_id, u.seq, u.merchant_id, t.face_value, t.currency, coalesce(NEW.amount, 0), 1,
    a.state
  FROM unit u
  JOIN allocation a ON a.lot_id = u.lot_id AND a.seq = u.seq
  LEFT JOIN voucher_terms t ON t.lot_id = u.lot_id
  WHERE u.unit_id = NEW.unit_id AND u.lot_id = NEW.lot_id AND u.seq = NEW.seq
    AND u.merchant_id = NEW.merchant_id AND a.state IN ('sold', 'opened')
    AND a.state = NEW.state_before AND t.currency IS NOT DISTINCT FROM NEW.currency
  ON CONFLICT (lot_id, seq) DO UPDATE SET redeemed = b.redeemed + excluded.redeemed,
    standing = b.standing + 1, state_before = excluded.state_before;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'only a sold unit is redeemed, in the currency of its terms'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$
"""

BOOK_ROLLBACK = """
CREATE FUNCTION vault_book_rollback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE unit_balance b SET redeemed = b.redeemed - coalesce(r.amount, 0), standing = b.standing - 1
  FROM redemption r
  WHERE r.id = NEW.redemption_id AND r.merchant_id = NEW.merchant_id
    AND b.lot_id = r.lot_id AND b.seq = r.seq;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'only what was redeemed is rolled back'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NULL;
END $$
"""

# A unit is redeemed exactly while nothing is left of it: into that state, and out of it.
CHECK_REDEEMED = """
CREATE FUNCTION vault_check_redeemed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.state = 'redeemed') IS DISTINCT FROM EXISTS (
    SELECT 1 FROM unit_balance b WHERE b.lot_id = NEW.lot_id AND b.seq = NEW.seq
      AND b.standing > 0 AND b.redeemed = coalesce(b.face_value, 0)
  ) THEN
    RAISE EXCEPTION 'a unit is redeemed while its redemptions leave nothing of it, and only then'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$
"""

KEEP_TERMS = """
CREATE FUNCTION vault_keep_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM unit_balance b WHERE b.lot_id = coalesce(NEW.lot_id, OLD.lot_id)) THEN
    RAISE EXCEPTION 'the terms of a lot stay from its first redemption on'
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN coalesce(NEW, OLD);
END $$
"""

FORWARD = "('reserved', 'sold'), ('sold', 'opened'), ('sold', 'redeemed'), ('opened', 'redeemed')"
BACK = "('redeemed', 'sold'), ('redeemed', 'opened')"


def _goes_forward(moves: str) -> str:
    return f"""
    CREATE TRIGGER allocation_goes_forward BEFORE UPDATE ON allocation FOR EACH ROW
    WHEN (
      (NEW.lot_id, NEW.seq, NEW.reservation_id, NEW.line_no, NEW.merchant_id)
        IS DISTINCT FROM (OLD.lot_id, OLD.seq, OLD.reservation_id, OLD.line_no, OLD.merchant_id)
      OR (OLD.state, NEW.state) NOT IN ({moves})
    )
    EXECUTE FUNCTION vault_refuse('an allocation keeps its owner and goes forward only')
    """


GUARDS = (
    BOOK_REDEMPTION,
    BOOK_ROLLBACK,
    CHECK_REDEEMED,
    KEEP_TERMS,
    """
    CREATE TRIGGER redemption_is_booked AFTER INSERT ON redemption
    FOR EACH ROW EXECUTE FUNCTION vault_book_redemption()
    """,
    """
    CREATE TRIGGER redemption_rollback_is_booked AFTER INSERT ON redemption_rollback
    FOR EACH ROW EXECUTE FUNCTION vault_book_rollback()
    """,
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse('{table} is append-only')
        """
        for table in ("redemption", "redemption_rollback")
    ),
    """
    CREATE TRIGGER unit_balance_is_booked_only
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON unit_balance
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION vault_refuse('a balance is moved by redemptions and rollbacks only')
    """,
    """
    CREATE TRIGGER voucher_terms_stay BEFORE INSERT OR UPDATE OR DELETE ON voucher_terms
    FOR EACH ROW EXECUTE FUNCTION vault_keep_terms()
    """,
    "DROP TRIGGER allocation_goes_forward ON allocation",
    _goes_forward(f"{FORWARD}, {BACK}"),
    """
    CREATE TRIGGER allocation_redeemed_as_booked BEFORE UPDATE ON allocation FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND 'redeemed' IN (OLD.state, NEW.state))
    EXECUTE FUNCTION vault_check_redeemed()
    """,
)


def upgrade() -> None:
    _create_terms()
    _create_redemptions()
    _create_balances()
    for statement in GUARDS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER allocation_redeemed_as_booked ON allocation")
    op.execute("DROP TRIGGER allocation_goes_forward ON allocation")
    op.execute(_goes_forward(FORWARD))
    for table in (
        "wrong_code",
        "voucher_use",
        "unit_balance",
        "redemption_rollback",
        "redemption",
        "voucher_terms",
    ):
        op.drop_table(table)
    op.execute(
        "DROP FUNCTION vault_book_redemption, vault_book_rollback, vault_check_redeemed, "
        "vault_keep_terms"
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text("clock_timestamp()"),
        nullable=False,
    )


def _create_terms() -> None:
    op.create_table(
        "voucher_terms",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("face_value", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("per_buyer", sa.Integer(), nullable=True),
        sa.Column("per_shop", sa.Integer(), nullable=True),
        _moment("set_at"),
        sa.CheckConstraint("face_value >= 1", name=op.f("ck_voucher_terms_face_value")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_voucher_terms_currency")),
        sa.CheckConstraint(
            "per_buyer >= 1 AND per_shop >= 1", name=op.f("ck_voucher_terms_limits")
        ),
        sa.ForeignKeyConstraint(
            ["lot_id"], ["lot.id"], name=op.f("fk_voucher_terms_lot_id_lot"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_voucher_terms")),
    )


def _create_redemptions() -> None:
    op.create_table(
        "redemption",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_reference", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("balance_after", sa.BigInteger(), nullable=True),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=False),
        sa.Column("buyer_id", sa.Text(), nullable=True),
        sa.Column("shop_id", sa.Text(), nullable=True),
        sa.Column("redeemed_by", sa.Text(), nullable=False),
        _moment("redeemed_at"),
        sa.CheckConstraint("amount >= 1 AND balance_after >= 0", name=op.f("ck_redemption_amount")),
        sa.CheckConstraint(
            "(amount IS NULL) = (currency IS NULL) AND (amount IS NULL) = (balance_after IS NULL)",
            name=op.f("ck_redemption_money"),
        ),
        sa.CheckConstraint(
            "state_before IN ('sold', 'opened')", name=op.f("ck_redemption_state_before")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption")),
        sa.UniqueConstraint(
            "merchant_id",
            "merchant_reference",
            name=op.f("uq_redemption_merchant_id_merchant_reference"),
        ),
    )
    op.create_index("ix_redemption_merchant_id_id", "redemption", ["merchant_id", "id"])
    op.create_index("ix_redemption_unit_id_id", "redemption", ["unit_id", "id"])
    op.create_table(
        "redemption_rollback",
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rolled_back_by", sa.Text(), nullable=False),
        _moment("rolled_back_at"),
        sa.ForeignKeyConstraint(
            ["redemption_id"],
            ["redemption.id"],
            name=op.f("fk_redemption_rollback_redemption_id_redemption"),
        ),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_redemption_rollback")),
    )


def _create_balances() -> None:
    op.create_table(
        "unit_balance",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("face_value", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("redeemed", sa.BigInteger(), nullable=False),
        sa.Column("standing", sa.Integer(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "redeemed BETWEEN 0 AND coalesce(face_value, 0)", name=op.f("ck_unit_balance_redeemed")
        ),
        sa.CheckConstraint(
            "standing >= 0 AND (face_value IS NOT NULL OR standing <= 1)",
            name=op.f("ck_unit_balance_standing"),
        ),
        sa.CheckConstraint(
            "state_before IN ('sold', 'opened')", name=op.f("ck_unit_balance_state_before")
        ),
        sa.PrimaryKeyConstraint("lot_id", "seq", name=op.f("pk_unit_balance")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "voucher_use",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("party_id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("vouchers", sa.Integer(), nullable=False),
        sa.CheckConstraint("party IN ('buyer', 'shop')", name=op.f("ck_voucher_use_party")),
        sa.CheckConstraint("vouchers >= 0", name=op.f("ck_voucher_use_vouchers")),
        sa.PrimaryKeyConstraint("lot_id", "party", "party_id", name=op.f("pk_voucher_use")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "wrong_code",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_wrong_code")),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_wrong_code_free_at", "wrong_code", ["free_at"])
