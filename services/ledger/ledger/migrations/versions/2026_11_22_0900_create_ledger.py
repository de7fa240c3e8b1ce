"""Create the ledger: backbone, accounts, transactions, postings and the guards of their truth."""

import sqlalchemy as sa
from alembic import op

from kit import backbone

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# What a program cannot be trusted with: balanced, written once, never changed.
GUARDS = (
    # Statement level: an UPDATE that would match nothing is refused as well.
    """
    CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is never changed: reverse the transaction instead', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_append_only';
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()
        """
        for table in ("transaction", "posting", "account")
    ),
    """
    CREATE FUNCTION ledger_balance_only_by_posting() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF pg_trigger_depth() < 2 THEN
            RAISE EXCEPTION 'balances follow postings and are not written by hand'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_balance';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER account_balance_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE
    ON account_balance FOR EACH STATEMENT EXECUTE FUNCTION ledger_balance_only_by_posting()
    """,
    """
    CREATE FUNCTION ledger_posted() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        bad record;
    BEGIN
        SELECT added.transaction_id INTO bad FROM added
        LEFT JOIN transaction ON transaction.id = added.transaction_id
            AND transaction.merchant_id = added.merchant_id
            AND transaction.written_in = (pg_current_xact_id()::text)::bigint
        WHERE transaction.id IS NULL LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'transaction % is not open for postings', bad.transaction_id
                USING ERRCODE = 'integrity_constraint_violation',
                    CONSTRAINT = 'ledger_append_only';
        END IF;
        SELECT added.account_id INTO bad FROM added
        LEFT JOIN account ON account.id = added.account_id AND account.currency = added.currency
            AND account.merchant_id = added.merchant_id
        WHERE account.id IS NULL LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'account % is not of this merchant and currency', bad.account_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'fk_posting_account';
        END IF;
        INSERT INTO account_balance AS balance
            (account_id, debit_minor, credit_minor, postings_total)
        SELECT account_id, coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0),
            coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0), count(*)
        FROM added GROUP BY account_id ORDER BY account_id
        ON CONFLICT (account_id) DO UPDATE SET
            debit_minor = balance.debit_minor + excluded.debit_minor,
            credit_minor = balance.credit_minor + excluded.credit_minor,
            postings_total = balance.postings_total + excluded.postings_total;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER posting_posted AFTER INSERT ON posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_posted()
    """,
    """
    CREATE FUNCTION ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        bad record;
    BEGIN
        SELECT currency, sum(amount_minor) AS difference INTO bad FROM posting
        WHERE transaction_id = NEW.id
        GROUP BY currency ORDER BY abs(sum(amount_minor)) DESC LIMIT 1;
        IF NOT FOUND OR bad.difference <> 0 THEN
            RAISE EXCEPTION 'transaction % does not balance: % %', NEW.id,
                coalesce(bad.difference::text, 'no postings'), coalesce(bad.currency, '')
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_transaction_balanced';
        END IF;
        RETURN NULL;
    END $$
    """,
    # On the transaction and not on each posting: one check per transaction, at commit.
    """
    CREATE CONSTRAINT TRIGGER transaction_balanced AFTER INSERT ON transaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balanced()
    """,
)

UNGUARD = (
    "DROP TRIGGER transaction_balanced ON transaction",
    "DROP TRIGGER posting_posted ON posting",
    "DROP TRIGGER account_balance_guard ON account_balance",
    *(
        f"DROP TRIGGER {table}_append_only ON {table}"
        for table in ("transaction", "posting", "account")
    ),
    "DROP FUNCTION ledger_balanced, ledger_posted",
    "DROP FUNCTION ledger_balance_only_by_posting, ledger_refuse_change",
)


def upgrade() -> None:
    backbone.create(op)
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_account_currency_code")),
        sa.CheckConstraint(
            "kind IN ('asset', 'liability', 'income', 'expense', 'equity')",
            name=op.f("ck_account_kind_known"),
        ),
        sa.CheckConstraint(
            "char_length(code) BETWEEN 1 AND 300", name=op.f("ck_account_code_length")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint(
            "merchant_id", "code", "currency", name=op.f("uq_account_merchant_id_code_currency")
        ),
    )
    op.create_index("ix_account_merchant_id_id", "account", ["merchant_id", "id"], unique=False)
    op.create_table(
        "posting",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("lot_id", sa.Uuid(), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_posting_amount_not_zero")),
        sa.CheckConstraint("line_no BETWEEN 1 AND 1000", name=op.f("ck_posting_line_no_range")),
        sa.PrimaryKeyConstraint("transaction_id", "line_no", name=op.f("pk_posting")),
    )
    op.create_index(
        "ix_posting_lot_id",
        "posting",
        ["lot_id"],
        unique=False,
        postgresql_where=sa.text("lot_id IS NOT NULL"),
    )
    op.create_index("ix_posting_merchant_id_at", "posting", ["merchant_id", "at"], unique=False)
    op.create_index(
        "ix_posting_order_id",
        "posting",
        ["order_id"],
        unique=False,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_table(
        "transaction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("reverses", sa.Uuid(), nullable=True),
        sa.Column(
            "written_in",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["reverses"], ["transaction.id"], name=op.f("fk_transaction_reverses_transaction")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transaction")),
        sa.UniqueConstraint(
            "merchant_id", "source", name=op.f("uq_transaction_merchant_id_source")
        ),
        sa.UniqueConstraint("reverses", name=op.f("uq_transaction_reverses")),
    )
    op.create_index(
        "ix_transaction_merchant_id_id", "transaction", ["merchant_id", "id"], unique=False
    )
    op.create_table(
        "account_balance",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("debit_minor", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.Column("credit_minor", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.Column("postings_total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "debit_minor >= 0 AND credit_minor >= 0",
            name=op.f("ck_account_balance_totals_positive"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_balance_account_id_account")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_balance")),
        postgresql_with={"fillfactor": 50},
    )
    for guard in GUARDS:
        op.execute(guard)


def downgrade() -> None:
    for guard in UNGUARD:
        op.execute(guard)
    op.drop_table("account_balance")
    op.drop_index("ix_transaction_merchant_id_id", table_name="transaction")
    op.drop_table("transaction")
    op.drop_index(
        "ix_posting_order_id",
        table_name="posting",
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.drop_index("ix_posting_merchant_id_at", table_name="posting")
    op.drop_index(
        "ix_posting_lot_id", table_name="posting", postgresql_where=sa.text("lot_id IS NOT NULL")
    )
    op.drop_table("posting")
    op.drop_index("ix_account_merchant_id_id", table_name="account")
    op.drop_table("account")
    backbone.drop(op)
