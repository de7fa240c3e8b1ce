"""Webhook endpoints, what they are sent, merchants' HTTP fulfillers (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _now(name: str) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        nullable=False,
        server_default=sa.text("clock_timestamp()"),
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _word(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=False)


def _id(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), nullable=False)


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _checks(table: str, rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}")) for name, rule in rules.items()
    ]


def _of_endpoint(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["endpoint_id"],
        ["webhook_endpoint.id"],
        name=op.f(f"fk_{table}_endpoint_id_webhook_endpoint"),
    )


def upgrade() -> None:
    _create_endpoints()
    _create_keys_and_lanes()
    _create_deliveries()
    _create_fulfillers()


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoint",
        _id("id"),
        _id("merchant_id"),
        _text("url"),
        _word("description"),
        sa.Column("event_types", ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("is_enabled", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("disabled_because", sa.Text()),
        _moment("disabled_at"),
        _number("failures"),
        _moment("failing_since"),
        _moment("last_success_at"),
        _now("opens_at"),
        _now("created_at"),
        _moment("deleted_at"),
        *_checks(
            "webhook_endpoint",
            {
                "disabled_because_known": "disabled_because IN ('by_request', 'failing', 'gone')",
                "disabled_has_reason": "is_enabled = (disabled_because IS NULL) "
                "AND is_enabled = (disabled_at IS NULL)",
                "failures_not_negative": "failures >= 0",
                "failing_since_first_failure": "(failures = 0) = (failing_since IS NULL)",
            },
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_index("ix_webhook_endpoint_merchant_id_id", "webhook_endpoint", ["merchant_id", "id"])


def _create_keys_and_lanes() -> None:
    op.create_table(
        "webhook_key",
        _id("id"),
        _id("endpoint_id"),
        _text("scheme"),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        _moment("ends_at"),
        _now("created_at"),
        *_checks("webhook_key", {"scheme_known": "scheme IN ('v1', 'v1a')"}),
        _of_endpoint("webhook_key"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_key")),
    )
    op.create_index("ix_webhook_key_endpoint_id", "webhook_key", ["endpoint_id"])
    op.create_index(
        "uq_webhook_key_endpoint_id_scheme_lasting",
        "webhook_key",
        ["endpoint_id", "scheme"],
        unique=True,
        postgresql_where=sa.text("ends_at IS NULL"),
    )
    op.create_table(
        "webhook_lane",
        _id("endpoint_id"),
        sa.Column("lane_no", sa.SmallInteger(), nullable=False),
        sa.Column("lease_id", sa.Uuid()),
        _now("lease_ends_at"),
        _of_endpoint("webhook_lane"),
        sa.PrimaryKeyConstraint("endpoint_id", "lane_no", name=op.f("pk_webhook_lane")),
    )


def _create_deliveries() -> None:
    op.create_table(
        "webhook_delivery",
        _id("id"),
        _id("merchant_id"),
        _id("endpoint_id"),
        _id("event_id"),
        _text("type"),
        _text("body"),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        _text("state"),
        _number("attempts"),
        _number("tries"),
        _now("due_at"),
        sa.Column("lease_id", sa.Uuid()),
        sa.Column("last_status", sa.Integer()),
        _word("last_reason"),
        _moment("settled_at"),
        _now("created_at"),
        *_checks(
            "webhook_delivery",
            {
                "state_known": "state IN ('pending', 'delivered', 'failed', 'missed')",
                "body_thin": "octet_length(body) <= 20000",
                "tries_are_attempts": "tries BETWEEN 0 AND attempts",
                "settled_has_time": "(state IN ('delivered', 'failed')) = (settled_at IS NOT NULL)",
                "only_pending_is_leased": "lease_id IS NULL OR state = 'pending'",
            },
        ),
        _of_endpoint("webhook_delivery"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint(
            "endpoint_id", "event_id", name=op.f("uq_webhook_delivery_endpoint_id_event_id")
        ),
    )
    for columns in (
        ["merchant_id", "created_at", "id"],
        ["endpoint_id", "created_at"],
        ["created_at"],
    ):
        op.create_index(f"ix_webhook_delivery_{'_'.join(columns)}", "webhook_delivery", columns)
    op.create_index(
        "ix_webhook_delivery_endpoint_id_due_at",
        "webhook_delivery",
        ["endpoint_id", "due_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "webhook_attempt",
        _id("delivery_id"),
        sa.Column("attempt_no", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        _number("milliseconds"),
        sa.Column("status", sa.Integer()),
        _word("reason"),
        *_checks(
            "webhook_attempt",
            {
                "attempt_no_positive": "attempt_no > 0",
                "milliseconds_not_negative": "milliseconds >= 0",
            },
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["webhook_delivery.id"],
            name=op.f("fk_webhook_attempt_delivery_id_webhook_delivery"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "attempt_no", name=op.f("pk_webhook_attempt")),
    )


def _create_fulfillers() -> None:
    op.create_table(
        "fulfiller",
        _id("id"),
        _id("merchant_id"),
        _text("name"),
        _text("url"),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("timeout_seconds", sa.Float(), nullable=False),
        sa.Column("deadline_seconds", sa.Float(), nullable=False),
        _word("queue"),
        sa.Column("is_enabled", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        _now("created_at"),
        *_checks(
            "fulfiller",
            {
                "timeout_positive": "timeout_seconds > 0",
                "deadline_positive": "deadline_seconds > 0",
            },
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfiller")),
        sa.UniqueConstraint("merchant_id", "name", name=op.f("uq_fulfiller_merchant_id_name")),
    )
    op.create_table(
        "fulfiller_call",
        _id("id"),
        _id("merchant_id"),
        _id("order_id"),
        _id("delivery_id"),
        _id("task_id"),
        _text("fulfiller"),
        sa.Column("state", sa.Text(), nullable=False, server_default="intent"),
        _number("sends"),
        _word("result"),
        _word("reason"),
        sa.Column("cost_minor", sa.BigInteger()),
        sa.Column("currency", sa.Text()),
        _moment("sent_at"),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        _moment("settled_at"),
        _now("created_at"),
        *_checks(
            "fulfiller_call",
            {
                "state_known": "state IN "
                "('intent', 'sent', 'accepted', 'unknown', 'manual', 'done', 'failed')",
                "cost_not_negative": "cost_minor >= 0",
                "cost_whole": "(cost_minor IS NULL) = (currency IS NULL)",
                "settled_has_time": "(state IN ('done', 'failed')) = (settled_at IS NOT NULL)",
                "failed_has_reason": "state <> 'failed' OR reason <> ''",
            },
        ),
        *(
            sa.ForeignKeyConstraint(
                [f"{other}_id"],
                [f"{other}.id"],
                name=op.f(f"fk_fulfiller_call_{other}_id_{other}"),
            )
            for other in ("delivery", "task")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfiller_call")),
        sa.UniqueConstraint("delivery_id", name=op.f("uq_fulfiller_call_delivery_id")),
    )
    op.execute(_WORD_IS_KEPT)
    op.execute(
        "CREATE TRIGGER fulfiller_word_is_kept BEFORE UPDATE ON fulfiller_call FOR EACH ROW "
        "WHEN (OLD.state IN ('done', 'failed')) EXECUTE FUNCTION fulfiller_word_is_kept()"
    )


# Whatever else comes later, a line's end is told once.
_WORD_IS_KEPT = """
    CREATE FUNCTION fulfiller_word_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'a fulfiller call that is % stays so', OLD.state
        USING ERRCODE = 'check_violation', CONSTRAINT = 'fulfiller_word_is_kept';
    END $$
"""


def downgrade() -> None:
    for table in (
        "fulfiller_call",
        "fulfiller",
        "webhook_attempt",
        "webhook_delivery",
        "webhook_lane",
        "webhook_key",
        "webhook_endpoint",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION fulfiller_word_is_kept()")
