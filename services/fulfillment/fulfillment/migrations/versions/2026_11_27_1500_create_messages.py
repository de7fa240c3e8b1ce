"""Templates, messages and contacts (pre: the code needs it)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
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


def _id(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), nullable=False)


def _count(name: str, default: str = "0") -> sa.Column[object]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=default)


def _refers(table: str, other: str, column: str, key: str = "id") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.{key}"], name=name)


def _checks(table: str, rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}")) for name, rule in rules.items()
    ]


def upgrade() -> None:
    _create_contacts()
    _create_templates()
    _create_messages()
    _create_attempts()
    _create_counters()
    _create_one_time_codes()
    _create_senders()


def _create_contacts() -> None:
    op.create_table(
        "contact",
        _id("order_id"),
        _id("merchant_id"),
        _word("customer_id"),
        _word("locale"),
        _word("template"),
        sa.Column("addresses", sa.LargeBinary(), nullable=False),
        _now("created_at"),
        _refers("contact", "request", "order_id", "order_id"),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_contact")),
    )
    op.create_index("ix_contact_created_at", "contact", ["created_at"])


def _create_templates() -> None:
    op.create_table(
        "template",
        _id("id"),
        _id("merchant_id"),
        _word("name"),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        _now("created_at"),
        *_checks("template", {"channel_known": "channel IN ('mail', 'sms', 'inbox')"}),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template")),
        sa.UniqueConstraint(
            "merchant_id", "name", "purpose", "language", "channel", name="uq_template_place"
        ),
    )
    op.create_index("ix_template_merchant_id_id", "template", ["merchant_id", "id"])
    op.create_table(
        "template_version",
        _id("template_id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("with_codes", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        _word("gateway_template"),
        sa.Column("parameters", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
        _word("created_by"),
        _now("created_at"),
        *_checks(
            "template_version",
            {"version_positive": "version > 0", "subject_is_one_line": r"subject !~ '[\r\n]'"},
        ),
        _refers("template_version", "template", "template_id"),
        sa.PrimaryKeyConstraint("template_id", "version", name=op.f("pk_template_version")),
    )


def _create_messages() -> None:
    op.create_table(
        "message",
        _id("id"),
        _id("merchant_id"),
        _id("order_id"),
        sa.Column("delivery_id", sa.Uuid()),
        sa.Column("purpose", sa.Text(), nullable=False),
        _word("key"),
        sa.Column("message_values", sa.LargeBinary()),
        sa.Column("state", sa.Text(), nullable=False, server_default="queued"),
        sa.Column("rung", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("tries", sa.SmallInteger(), nullable=False, server_default="0"),
        _moment("rung_since"),
        _count("attempts"),
        _word("channel"),
        _word("to_mask"),
        _word("reason"),
        _now("due_at"),
        sa.Column("lease_id", sa.Uuid()),
        _now("created_at"),
        _moment("settled_at"),
        *_checks(
            "message",
            {
                "state_known": "state IN ('queued', 'sent', 'failed', 'bounced', 'undeliverable')",
                "settled_has_time": "(state = 'queued') = (settled_at IS NULL)",
                "failure_has_reason": "state IN ('queued', 'sent') OR reason <> ''",
                "settled_is_free": "state = 'queued' OR lease_id IS NULL",
            },
        ),
        _refers("message", "request", "order_id", "order_id"),
        _refers("message", "delivery", "delivery_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "order_id", "purpose", "key", name=op.f("uq_message_order_id_purpose_key")
        ),
    )
    op.create_index(
        "ix_message_due_at", "message", ["due_at"], postgresql_where=sa.text("state = 'queued'")
    )
    op.create_index("ix_message_merchant_id_id", "message", ["merchant_id", "id"])
    op.create_index("ix_message_merchant_id_state_id", "message", ["merchant_id", "state", "id"])
    op.create_index(
        "ix_message_created_at",
        "message",
        ["created_at"],
        postgresql_where=sa.text("message_values IS NOT NULL"),
    )


def _create_attempts() -> None:
    op.create_table(
        "message_attempt",
        _id("message_id"),
        sa.Column("attempt_no", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        _word("sender"),
        sa.Column("state", sa.Text(), nullable=False),
        _word("reason"),
        _word("reference"),
        _word("to_mask"),
        _word("template"),
        _now("started_at"),
        _moment("ended_at"),
        *_checks(
            "message_attempt",
            {
                "state_known": "state IN ('sending', 'sent', 'later', 'refused', 'unclear', "
                "'skipped', 'bounced')",
                "ended_has_time": "(state = 'sending') = (ended_at IS NULL)",
                "failure_has_reason": "state IN ('sending', 'sent') OR reason <> ''",
            },
        ),
        _refers("message_attempt", "message", "message_id"),
        sa.PrimaryKeyConstraint("message_id", "attempt_no", name=op.f("pk_message_attempt")),
    )
    op.create_index(
        "ix_message_attempt_reference",
        "message_attempt",
        ["reference"],
        postgresql_where=sa.text("reference <> ''"),
    )
    op.create_index(
        "uq_message_attempt_message_id_sending",
        "message_attempt",
        ["message_id"],
        unique=True,
        postgresql_where=sa.text("state = 'sending'"),
    )


def _create_counters() -> None:
    op.create_table(
        "message_notice",
        _id("id"),
        _id("order_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_notice")),
    )
    op.create_table(
        "message_budget",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "subject", "starts_at", name=op.f("pk_message_budget")),
    )
    op.create_index("ix_message_budget_starts_at", "message_budget", ["starts_at"])


def _create_one_time_codes() -> None:
    op.create_table(
        "one_time_code",
        sa.Column("subject", sa.Text(), nullable=False),
        _id("id"),
        _id("order_id"),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        _count("tries"),
        _count("sends", "1"),
        _now("window_from"),
        _now("sent_at"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _moment("used_at"),
        *_checks(
            "one_time_code",
            {"sends_positive": "sends > 0", "tries_not_negative": "tries >= 0"},
        ),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_one_time_code")),
    )
    op.create_index("ix_one_time_code_expires_at", "one_time_code", ["expires_at"])


def _create_senders() -> None:
    op.create_table(
        "sender_account",
        _id("id"),
        _id("merchant_id"),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("settings", JSONB(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        _now("created_at"),
        *_checks("sender_account", {"channel_known": "channel IN ('mail', 'sms', 'inbox')"}),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sender_account")),
    )
    op.create_index("ix_sender_account_merchant_id_id", "sender_account", ["merchant_id", "id"])
    op.create_index(
        "uq_sender_account_merchant_id_channel_enabled",
        "sender_account",
        ["merchant_id", "channel"],
        unique=True,
        postgresql_where=sa.text("is_enabled"),
    )
    op.create_table(
        "inbox_message",
        _id("id"),
        _id("merchant_id"),
        sa.Column("customer_id", sa.Text(), nullable=False),
        _id("order_id"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _now("created_at"),
        _moment("read_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_message")),
    )
    op.create_index(
        "ix_inbox_message_merchant_id_customer_id_id",
        "inbox_message",
        ["merchant_id", "customer_id", "id"],
    )
    op.create_index("ix_inbox_message_created_at", "inbox_message", ["created_at"])


def downgrade() -> None:
    for table in (
        "inbox_message",
        "sender_account",
        "one_time_code",
        "message_budget",
        "message_notice",
        "message_attempt",
        "message",
        "template_version",
        "template",
        "contact",
    ):
        op.drop_table(table)
