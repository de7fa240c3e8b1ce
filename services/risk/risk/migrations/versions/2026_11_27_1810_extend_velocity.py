"""Count by any key over any window (pre: the code needs it).

The digests of a purchase's keys become columns of it, in place of a row each. What a purchase of
before counts for by network, card-holder, product and channel is not known here: those counts begin
with this release.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SINGLE = ("ip", "ip_24", "device", "customer", "contact", "payer", "channel")
_BEFORE = ("ip", "device", "customer", "contact")
_KINDS = "'ip', 'ip_24', 'device', 'customer', 'contact', 'payer', 'product', 'channel'"


def upgrade() -> None:
    parts = (_purchases, _products, _keys, _roll_ups, _watches, _lists, _rules)
    for statement in (statement for part in parts for statement in part()):
        op.execute(statement)


def _purchases() -> list[str]:
    columns = ", ".join(f"ADD COLUMN {kind}_key UUID" for kind in _SINGLE)
    moved = ", ".join(f"{kind}_key = past.{kind}_key" for kind in _BEFORE)
    picked = ", ".join(
        f"min(key::text) FILTER (WHERE kind = '{kind}')::uuid AS {kind}_key" for kind in _BEFORE
    )
    indexes = [
        f"CREATE INDEX ix_purchase_{kind}_key ON purchase ({kind}_key, at)"
        f" WHERE {kind}_key IS NOT NULL"
        for kind in _SINGLE
    ]
    return [
        f"""ALTER TABLE purchase
          ADD COLUMN payer_hash TEXT NOT NULL DEFAULT '',
          ADD COLUMN seq BIGINT GENERATED ALWAYS AS IDENTITY,
          ADD COLUMN quantity INTEGER NOT NULL DEFAULT 0,
          {columns},
          ADD COLUMN product_keys UUID[] NOT NULL DEFAULT '{{}}',
          ADD COLUMN unpaid SMALLINT NOT NULL DEFAULT '0'::smallint,
          ADD COLUMN failed SMALLINT NOT NULL DEFAULT '0'::smallint,
          ADD COLUMN refunded SMALLINT NOT NULL DEFAULT '0'::smallint,
          ADD COLUMN is_forgotten BOOLEAN NOT NULL DEFAULT false""",
        "ALTER TABLE purchase SET (fillfactor = 90)",
        f"""UPDATE purchase SET {moved},
          quantity = (SELECT coalesce(sum(q), 0) FROM unnest(quantities) AS q)
        FROM (SELECT purchase_id, {picked} FROM velocity_event GROUP BY purchase_id) AS past
        WHERE past.purchase_id = purchase.id""",  # noqa: S608 - made of constants
        "CREATE INDEX ix_purchase_at ON purchase (at) WHERE NOT is_forgotten",
        *indexes,
        "DROP TABLE velocity_event",
    ]


def _products() -> list[str]:
    return [
        """CREATE TABLE purchase_product (
          purchase_id UUID NOT NULL,
          key UUID NOT NULL,
          merchant_id UUID NOT NULL,
          at TIMESTAMP WITH TIME ZONE NOT NULL,
          quantity INTEGER NOT NULL,
          amount_minor BIGINT NOT NULL,
          CONSTRAINT pk_purchase_product PRIMARY KEY (purchase_id, key),
          CONSTRAINT fk_purchase_product_purchase_id_purchase FOREIGN KEY (purchase_id)
            REFERENCES purchase (id)
        )""",
        "CREATE INDEX ix_purchase_product_key_at ON purchase_product (key, at)",
    ]


def _keys() -> list[str]:
    return [
        """ALTER TABLE velocity_key
          ADD COLUMN newest_at TIMESTAMP WITH TIME ZONE,
          ADD COLUMN is_rolled BOOLEAN NOT NULL DEFAULT false,
          ADD COLUMN paired TEXT[] NOT NULL DEFAULT '{}',
          DROP CONSTRAINT ck_velocity_key_purchases_total_positive,
          ADD CONSTRAINT ck_velocity_key_purchases_total_not_negative
            CHECK (purchases_total >= 0)""",
        f"""ALTER TABLE velocity_key
          ADD CONSTRAINT ck_velocity_key_kind_known CHECK (kind IN ({_KINDS}))""",
        "ALTER TABLE velocity_key SET (fillfactor = 80)",
        "UPDATE velocity_key SET newest_at = clock_timestamp()",
        "ALTER TABLE velocity_key ALTER COLUMN newest_at SET NOT NULL",
    ]


def _roll_ups() -> list[str]:
    return [
        """CREATE TABLE velocity_bucket (
          key UUID NOT NULL,
          level TEXT NOT NULL,
          start_at TIMESTAMP WITH TIME ZONE NOT NULL,
          currency TEXT NOT NULL,
          merchant_id UUID NOT NULL,
          purchases INTEGER NOT NULL,
          quantity BIGINT NOT NULL,
          amount_minor BIGINT NOT NULL,
          unpaid INTEGER NOT NULL,
          failed INTEGER NOT NULL,
          refunded INTEGER NOT NULL,
          CONSTRAINT pk_velocity_bucket PRIMARY KEY (key, level, start_at, currency),
          CONSTRAINT ck_velocity_bucket_level_known CHECK (level IN ('m', 'h', 'd'))
        ) WITH (fillfactor = 80)""",
        "CREATE INDEX ix_velocity_bucket_start_at ON velocity_bucket (start_at)",
        f"""CREATE TABLE velocity_pair (
          key UUID NOT NULL,
          kind TEXT NOT NULL,
          value UUID NOT NULL,
          merchant_id UUID NOT NULL,
          first_at TIMESTAMP WITH TIME ZONE NOT NULL,
          last_at TIMESTAMP WITH TIME ZONE NOT NULL,
          CONSTRAINT pk_velocity_pair PRIMARY KEY (key, kind, value),
          CONSTRAINT ck_velocity_pair_kind_known CHECK (kind IN ({_KINDS})),
          CONSTRAINT ck_velocity_pair_first_not_after_last CHECK (first_at <= last_at)
        )""",
        """CREATE INDEX ix_velocity_pair_last_at ON velocity_pair (key, kind, last_at)
          INCLUDE (first_at)""",
    ]


def _watches() -> list[str]:
    # Devices and contacts were counted for everybody; from now on for whom rules mention them.
    return [
        """CREATE TABLE velocity_watch (
          merchant_id UUID NOT NULL,
          what TEXT NOT NULL,
          since TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT clock_timestamp(),
          CONSTRAINT pk_velocity_watch PRIMARY KEY (merchant_id, what)
        )""",
        """INSERT INTO velocity_watch (merchant_id, what)
        SELECT DISTINCT merchant_id, what FROM rule
        JOIN rule_version ON rule_version.rule_id = rule.id
        CROSS JOIN unnest(ARRAY['device', 'contact']) AS watched(what)
        WHERE condition LIKE '%_by_' || what || '_%'""",
    ]


def _lists() -> list[str]:
    return [
        """CREATE TABLE list_entry (
          id UUID NOT NULL,
          merchant_id UUID NOT NULL,
          list TEXT NOT NULL,
          kind TEXT NOT NULL,
          value TEXT NOT NULL,
          digest UUID,
          network CIDR,
          reason TEXT NOT NULL,
          author TEXT NOT NULL,
          added_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT clock_timestamp(),
          expires_at TIMESTAMP WITH TIME ZONE,
          CONSTRAINT pk_list_entry PRIMARY KEY (id),
          CONSTRAINT uq_list_entry_merchant_id_list_kind_value
            UNIQUE (merchant_id, list, kind, value),
          CONSTRAINT ck_list_entry_kind_known CHECK (kind IN ('ip', 'network', 'device', 'contact',
            'customer', 'payer', 'product')),
          CONSTRAINT ck_list_entry_met_one_way CHECK (
            (kind IN ('ip', 'network')) = (network IS NOT NULL)
            AND (network IS NULL) = (digest IS NOT NULL))
        )""",
        "CREATE INDEX ix_list_entry_merchant_id_list_id ON list_entry (merchant_id, list, id)",
        "CREATE INDEX ix_list_entry_digest ON list_entry (digest) WHERE digest IS NOT NULL",
        "CREATE INDEX ix_list_entry_network ON list_entry USING gist (network inet_ops)",
    ]


def _rules() -> list[str]:
    return [
        """ALTER TABLE rule_version
          ADD COLUMN quantity_max INTEGER,
          ADD COLUMN hold_seconds INTEGER,
          DROP CONSTRAINT ck_rule_version_action_known,
          ADD CONSTRAINT ck_rule_version_action_known
            CHECK (action IN ('allow', 'limit', 'challenge', 'hold', 'decline')),
          ADD CONSTRAINT ck_rule_version_limits_said CHECK (
            (action = 'limit') = (quantity_max IS NOT NULL OR hold_seconds IS NOT NULL)),
          ADD CONSTRAINT ck_rule_version_limits_positive
            CHECK (quantity_max > 0 AND hold_seconds > 0)""",
        """CREATE TABLE rule_set (
          id UUID NOT NULL,
          merchant_id UUID NOT NULL,
          rule_ids UUID[] NOT NULL,
          versions INTEGER[] NOT NULL,
          noted_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT clock_timestamp(),
          CONSTRAINT pk_rule_set PRIMARY KEY (id),
          CONSTRAINT ck_rule_set_versions_paired
            CHECK (cardinality(rule_ids) = cardinality(versions))
        )""",
        """ALTER TABLE assessment
          ADD COLUMN quantity_max INTEGER,
          ADD COLUMN hold_seconds INTEGER,
          ADD COLUMN shadow_asked TEXT,
          ADD COLUMN rule_set_id UUID,
          ADD CONSTRAINT fk_assessment_rule_set_id_rule_set
            FOREIGN KEY (rule_set_id) REFERENCES rule_set (id)""",
    ]


def downgrade() -> None:
    """Rules that limit become shadow holds. Counts by device, address, buyer and contact go on;
    those by other keys are lost.
    """
    for statement in (
        """ALTER TABLE assessment DROP COLUMN quantity_max, DROP COLUMN hold_seconds,
          DROP COLUMN shadow_asked, DROP COLUMN rule_set_id""",
        "DROP TABLE rule_set",
        "ALTER TABLE rule_version DROP CONSTRAINT ck_rule_version_limits_said",
        "UPDATE rule_version SET action = 'hold', mode = 'shadow' WHERE action = 'limit'",
        """ALTER TABLE rule_version
          DROP CONSTRAINT ck_rule_version_limits_positive,
          DROP CONSTRAINT ck_rule_version_action_known,
          ADD CONSTRAINT ck_rule_version_action_known
            CHECK (action IN ('allow', 'challenge', 'hold', 'decline')),
          DROP COLUMN quantity_max, DROP COLUMN hold_seconds""",
        "DROP TABLE list_entry",
        "DROP TABLE velocity_watch",
        "DROP TABLE velocity_pair",
        "DROP TABLE velocity_bucket",
        "DROP TABLE purchase_product",
        "DELETE FROM velocity_key WHERE kind NOT IN ('ip', 'device', 'customer', 'contact')",
        "DELETE FROM velocity_key WHERE purchases_total = 0",
        """ALTER TABLE velocity_key
          DROP CONSTRAINT ck_velocity_key_kind_known,
          DROP CONSTRAINT ck_velocity_key_purchases_total_not_negative,
          ADD CONSTRAINT ck_velocity_key_purchases_total_positive CHECK (purchases_total > 0),
          DROP COLUMN newest_at, DROP COLUMN is_rolled, DROP COLUMN paired""",
        "ALTER TABLE velocity_key RESET (fillfactor)",
        """CREATE TABLE velocity_event (
          purchase_id UUID NOT NULL,
          kind TEXT NOT NULL,
          merchant_id UUID NOT NULL,
          key UUID NOT NULL,
          at TIMESTAMP WITH TIME ZONE NOT NULL,
          seq BIGINT GENERATED ALWAYS AS IDENTITY,
          CONSTRAINT pk_velocity_event PRIMARY KEY (purchase_id, kind),
          CONSTRAINT ck_velocity_event_kind_known
            CHECK (kind IN ('ip', 'device', 'customer', 'contact')),
          CONSTRAINT fk_velocity_event_purchase_id_purchase FOREIGN KEY (purchase_id)
            REFERENCES purchase (id)
        )""",
        "CREATE INDEX ix_velocity_event_key_at ON velocity_event (key, at) INCLUDE (seq)",
        *(
            f"""INSERT INTO velocity_event (purchase_id, kind, merchant_id, key, at)
            SELECT id, '{kind}', merchant_id, {kind}_key, at FROM purchase
            WHERE {kind}_key IS NOT NULL ORDER BY seq"""  # noqa: S608 - made of constants
            for kind in _BEFORE
        ),
        "DROP INDEX ix_purchase_at",
        *(f"DROP INDEX ix_purchase_{kind}_key" for kind in _SINGLE),
        "ALTER TABLE purchase "
        + ", ".join(f"DROP COLUMN {kind}_key" for kind in _SINGLE)
        + """, DROP COLUMN payer_hash, DROP COLUMN seq, DROP COLUMN quantity,
          DROP COLUMN product_keys, DROP COLUMN unpaid, DROP COLUMN failed, DROP COLUMN refunded,
          DROP COLUMN is_forgotten""",
        "ALTER TABLE purchase RESET (fillfactor)",
    ):
        op.execute(statement)
