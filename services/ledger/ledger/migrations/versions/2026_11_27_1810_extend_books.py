"""Dimensions, reservations, periods, balances of the past, the chain (pre: the code needs it)."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    """
    ALTER TABLE posting ADD COLUMN line_id uuid, ADD COLUMN supplier text, ADD COLUMN buyer text,
      ADD COLUMN buyer_group text, ADD COLUMN quantity integer
    """,
    "ALTER TABLE transaction ADD COLUMN occurred_at timestamptz",
    "ALTER TABLE account ADD COLUMN never_overdrawn boolean NOT NULL DEFAULT false",
    """
    ALTER TABLE account_balance ADD COLUMN pending_debit_minor numeric(38, 0) NOT NULL DEFAULT '0',
      ADD COLUMN pending_credit_minor numeric(38, 0) NOT NULL DEFAULT '0',
      ADD CONSTRAINT ck_account_balance_pending_positive
        CHECK (pending_debit_minor >= 0 AND pending_credit_minor >= 0)
    """,
    """
    CREATE TABLE account_day (
      account_id uuid NOT NULL,
      day date NOT NULL,
      debit_minor numeric(38, 0) NOT NULL,
      credit_minor numeric(38, 0) NOT NULL,
      CONSTRAINT pk_account_day PRIMARY KEY (account_id, day)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE book_period (
      merchant_id uuid NOT NULL,
      closed_until timestamptz,
      CONSTRAINT pk_book_period PRIMARY KEY (merchant_id)
    )
    """,
    """
    CREATE TABLE period_change (
      id uuid NOT NULL,
      merchant_id uuid NOT NULL,
      action text NOT NULL,
      closed_until timestamptz,
      before timestamptz,
      reason text NOT NULL,
      requested_by text NOT NULL,
      changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      CONSTRAINT pk_period_change PRIMARY KEY (id),
      CONSTRAINT ck_period_change_action_known CHECK (action IN ('close', 'reopen'))
    )
    """,
    "CREATE INDEX ix_period_change_merchant_id_id ON period_change (merchant_id, id)",
    """
    CREATE TABLE pending_transaction (
      id uuid NOT NULL,
      merchant_id uuid NOT NULL,
      source text NOT NULL,
      at timestamptz NOT NULL,
      description text NOT NULL,
      state text NOT NULL DEFAULT 'pending',
      transaction_id uuid,
      reason text NOT NULL DEFAULT '',
      recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      resolved_at timestamptz,
      CONSTRAINT pk_pending_transaction PRIMARY KEY (id),
      CONSTRAINT uq_pending_transaction_merchant_id_source UNIQUE (merchant_id, source),
      CONSTRAINT ck_pending_transaction_state_known
        CHECK (state IN ('pending', 'posted', 'voided')),
      CONSTRAINT ck_pending_transaction_posted_as
        CHECK ((state = 'posted') = (transaction_id IS NOT NULL)),
      CONSTRAINT ck_pending_transaction_resolved_when
        CHECK ((state = 'pending') = (resolved_at IS NULL)),
      CONSTRAINT fk_pending_transaction_transaction_id_transaction FOREIGN KEY (transaction_id)
        REFERENCES transaction (id) DEFERRABLE INITIALLY DEFERRED
    )
    """,
    """
    CREATE INDEX ix_pending_transaction_merchant_id_id ON pending_transaction (merchant_id, id)
    """,
    """
    CREATE INDEX ix_pending_transaction_open ON pending_transaction (merchant_id, id)
      WHERE state = 'pending'
    """,
    """
    CREATE TABLE pending_posting (
      pending_id uuid NOT NULL,
      line_no smallint NOT NULL,
      account_id uuid NOT NULL,
      amount_minor bigint NOT NULL,
      quantity integer,
      channel_id uuid,
      product_id uuid,
      sku text,
      lot_id uuid,
      order_id uuid,
      line_id uuid,
      supplier text,
      buyer text,
      buyer_group text,
      CONSTRAINT pk_pending_posting PRIMARY KEY (pending_id, line_no),
      CONSTRAINT ck_pending_posting_amount_not_zero CHECK (amount_minor <> 0)
    )
    """,
    """
    CREATE TABLE unchained (
      transaction_id uuid NOT NULL,
      CONSTRAINT pk_unchained PRIMARY KEY (transaction_id)
    )
    """,
    """
    CREATE TABLE chain_batch (
      batch_no bigint NOT NULL,
      previous bytea NOT NULL,
      digest bytea NOT NULL,
      transactions_total bigint NOT NULL,
      chained_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      CONSTRAINT pk_chain_batch PRIMARY KEY (batch_no),
      CONSTRAINT ck_chain_batch_digest_size
        CHECK (octet_length(digest) = 32 AND octet_length(previous) = 32)
    )
    """,
    """
    CREATE TABLE chained_transaction (
      transaction_id uuid NOT NULL,
      batch_no bigint NOT NULL,
      position integer NOT NULL,
      digest bytea NOT NULL,
      line_digests bytea NOT NULL,
      CONSTRAINT pk_chained_transaction PRIMARY KEY (transaction_id),
      CONSTRAINT uq_chained_transaction_batch_no_position UNIQUE (batch_no, position)
    )
    """,
)

# What was posted before this release gets its place in the chain as well.
FILL = ("INSERT INTO unchained (transaction_id) SELECT id FROM transaction",)

GUARDS = (
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()
        """
        for table in ("period_change", "pending_posting", "chain_batch", "chained_transaction")
    ),
    # Who closes a period waits for who posts, and who posts later waits for who closes.
    """
    CREATE FUNCTION ledger_lock_period(merchant uuid) RETURNS void LANGUAGE sql AS $$
      SELECT pg_advisory_xact_lock(hashtext('ledger_period'), hashtext(merchant::text))
    $$
    """,
    """
    CREATE FUNCTION ledger_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        bad record;
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(
            hashtext('ledger_period'), hashtext(merchant_id::text))
        FROM (SELECT DISTINCT merchant_id FROM added ORDER BY 1) AS merchants;
        SELECT added.id INTO bad FROM added
        JOIN book_period AS period ON period.merchant_id = added.merchant_id
        WHERE added.at < period.closed_until LIMIT 1;
        IF FOUND THEN
            -- Closed after the statement began: tried again, it finds the line where it is now.
            RAISE EXCEPTION 'transaction % is dated into a closed period', bad.id
                USING ERRCODE = 'serialization_failure', CONSTRAINT = 'ledger_period_closed';
        END IF;
        INSERT INTO unchained (transaction_id) SELECT id FROM added;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER transaction_recorded AFTER INSERT ON transaction REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_recorded()
    """,
    """
    CREATE FUNCTION ledger_refuse_overdraft(accounts uuid[]) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        bad record;
    BEGIN
        SELECT account.code INTO bad FROM account
        JOIN account_balance AS balance ON balance.account_id = account.id
        WHERE account.id = ANY(accounts) AND account.never_overdrawn AND CASE
            WHEN account.kind IN ('asset', 'expense')
            THEN balance.debit_minor - balance.credit_minor - balance.pending_credit_minor
            ELSE balance.credit_minor - balance.debit_minor - balance.pending_debit_minor END < 0
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'account % would be overdrawn', bad.code
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_overdrawn';
        END IF;
    END $$
    """,
    # As in the first release, and at its end what is never overdrawn is looked at.
    """
    CREATE OR REPLACE FUNCTION ledger_posted() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        bad record;
        guarded uuid[];
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
        SELECT array_agg(DISTINCT account.id) INTO guarded FROM added
        JOIN account ON account.id = added.account_id AND account.never_overdrawn;
        IF guarded IS NOT NULL THEN
            PERFORM ledger_refuse_overdraft(guarded);
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION ledger_reserved() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        bad record;
    BEGIN
        SELECT added.pending_id INTO bad FROM added
        LEFT JOIN pending_transaction AS pending ON pending.id = added.pending_id
            AND pending.state = 'pending'
        LEFT JOIN account ON account.id = added.account_id
            AND account.merchant_id = pending.merchant_id
        WHERE pending.id IS NULL OR account.id IS NULL LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'pending transaction % is not open, or the account not its merchant''s',
                bad.pending_id USING ERRCODE = 'foreign_key_violation',
                    CONSTRAINT = 'fk_pending_posting_account';
        END IF;
        INSERT INTO account_balance AS balance
            (account_id, debit_minor, credit_minor, postings_total,
             pending_debit_minor, pending_credit_minor)
        SELECT account_id, 0, 0, 0,
            coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0),
            coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0)
        FROM added GROUP BY account_id ORDER BY account_id
        ON CONFLICT (account_id) DO UPDATE SET
            pending_debit_minor = balance.pending_debit_minor + excluded.pending_debit_minor,
            pending_credit_minor = balance.pending_credit_minor + excluded.pending_credit_minor;
        PERFORM ledger_refuse_overdraft((SELECT array_agg(DISTINCT account_id) FROM added));
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER pending_posting_reserved AFTER INSERT ON pending_posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_reserved()
    """,
    """
    CREATE FUNCTION ledger_resolved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.state <> 'pending' OR NEW.state = 'pending' OR (OLD.id, OLD.merchant_id, OLD.source)
            IS DISTINCT FROM (NEW.id, NEW.merchant_id, NEW.source) THEN
            RAISE EXCEPTION 'a pending transaction is posted or voided once, and not changed'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_append_only';
        END IF;
        -- Locked in the order of their ids, as posting does.
        PERFORM 1 FROM account_balance AS balance WHERE balance.account_id IN
            (SELECT account_id FROM pending_posting WHERE pending_id = NEW.id)
        ORDER BY balance.account_id FOR NO KEY UPDATE;
        UPDATE account_balance AS balance SET
            pending_debit_minor = balance.pending_debit_minor - freed.debit_minor,
            pending_credit_minor = balance.pending_credit_minor - freed.credit_minor
        FROM (
            SELECT account_id, coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0)
                AS debit_minor,
                coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0) AS credit_minor
            FROM pending_posting WHERE pending_id = NEW.id GROUP BY account_id
        ) AS freed
        WHERE balance.account_id = freed.account_id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER pending_transaction_resolved AFTER UPDATE ON pending_transaction
    FOR EACH ROW EXECUTE FUNCTION ledger_resolved()
    """,
    """
    CREATE TRIGGER pending_transaction_kept BEFORE DELETE OR TRUNCATE ON pending_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()
    """,
    """
    CREATE FUNCTION ledger_pending_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        bad record;
    BEGIN
        SELECT account.currency, sum(posting.amount_minor) AS difference INTO bad
        FROM pending_posting AS posting JOIN account ON account.id = posting.account_id
        WHERE posting.pending_id = NEW.id
        GROUP BY account.currency ORDER BY abs(sum(posting.amount_minor)) DESC LIMIT 1;
        IF NOT FOUND OR bad.difference <> 0 THEN
            RAISE EXCEPTION 'pending transaction % does not balance', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_transaction_balanced';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER pending_transaction_balanced AFTER INSERT ON pending_transaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_pending_balanced()
    """,
)

# The trigger of the first release, as it was.
POSTED_BEFORE = """
    CREATE OR REPLACE FUNCTION ledger_posted() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""
DOWN = (
    "DROP TRIGGER transaction_recorded ON transaction",
    POSTED_BEFORE,
    "DROP TABLE chained_transaction, chain_batch, unchained",
    "DROP TABLE pending_posting, pending_transaction",
    "DROP TABLE period_change, book_period, account_day",
    "DROP FUNCTION ledger_pending_balanced, ledger_resolved, ledger_reserved",
    "DROP FUNCTION ledger_refuse_overdraft, ledger_recorded, ledger_lock_period",
    """
    ALTER TABLE account_balance DROP COLUMN pending_credit_minor, DROP COLUMN pending_debit_minor
    """,
    "ALTER TABLE account DROP COLUMN never_overdrawn",
    "ALTER TABLE transaction DROP COLUMN occurred_at",
    """
    ALTER TABLE posting DROP COLUMN quantity, DROP COLUMN buyer_group, DROP COLUMN buyer,
      DROP COLUMN supplier, DROP COLUMN line_id
    """,
)


def upgrade() -> None:
    for statement in (*TABLES, *FILL, *GUARDS):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
