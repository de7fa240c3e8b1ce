"""Who changed what decides about orders; what was said once stays (pre: the code needs it)."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CHANGE = (
    """
    CREATE TABLE change (
      id uuid NOT NULL CONSTRAINT pk_change PRIMARY KEY,
      merchant_id uuid NOT NULL,
      at timestamptz NOT NULL DEFAULT clock_timestamp(),
      author text NOT NULL,
      kind text NOT NULL,
      about uuid NOT NULL,
      was jsonb,
      CONSTRAINT ck_change_kind_known CHECK (kind IN ('rule_enabled', 'rule_disabled',
        'entry_replaced', 'entry_removed', 'review_policy_changed'))
    )
    """,
    "CREATE INDEX ix_change_merchant_id_id ON change (merchant_id, id)",
    "CREATE INDEX ix_change_merchant_id_kind_id ON change (merchant_id, kind, id)",
    "CREATE INDEX ix_change_about_id ON change (about, id)",
    """
    CREATE FUNCTION risk_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
    END $$
    """,
)
_APPEND_ONLY = ("change", "review_act", "rule_version")


def upgrade() -> None:
    for statement in _CHANGE:
        op.execute(statement)
    for table in _APPEND_ONLY:
        op.execute(f"""
            CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION risk_refuse_change()
        """)


def downgrade() -> None:
    for table in _APPEND_ONLY:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    op.execute("DROP TABLE change")
    op.execute("DROP FUNCTION risk_refuse_change")
