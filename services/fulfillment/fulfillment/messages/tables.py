"""Tables of this slice: messages, each try to send one, what is left of budgets."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from fulfillment.messages.domain import AttemptState, MessageState
from kit.db import clock_time


def _moment(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


def _word(name: str) -> Column[object]:
    return Column(name, Text, nullable=False, server_default="")


def _one_of(states: type[MessageState] | type[AttemptState]) -> str:
    return "state IN (" + ", ".join(f"'{state.value}'" for state in states) + ")"


def message_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    _message(metadata)
    _attempt(metadata)
    Table(
        "message_notice",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("order_id", Uuid, nullable=False),
    )
    Table(
        "message_budget",
        metadata,
        # Whose: a merchant's id, or the keyed hash of an address.
        Column("scope", Text, primary_key=True),
        Column("subject", LargeBinary, primary_key=True),
        Column("starts_at", DateTime(timezone=True), primary_key=True),
        Column("used", Integer, nullable=False),
        Index("ix_message_budget_starts_at", "starts_at"),
    )


def _message(metadata: MetaData) -> None:
    Table(
        "message",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        # Known by its request, or by its contact alone while it is challenged.
        Column("order_id", Uuid, nullable=False),
        Column("delivery_id", Uuid, ForeignKey("delivery.id")),
        Column("purpose", Text, nullable=False),
        _word("key"),
        # Sealed; forgotten when nothing can follow.
        Column("message_values", LargeBinary),
        Column("state", Text, nullable=False, server_default=MessageState.QUEUED.value),
        # Which channel's turn it is, how often and since when that one is tried.
        Column("rung", SmallInteger, nullable=False, server_default="0"),
        Column("tries", SmallInteger, nullable=False, server_default="0"),
        _moment("rung_since"),
        Column("attempts", Integer, nullable=False, server_default="0"),
        _word("channel"),
        _word("to_mask"),
        _word("reason"),
        clock_time("due_at"),
        Column("lease_id", Uuid),
        clock_time("created_at"),
        _moment("settled_at"),
        # One message per order and purpose, whoever wants it told how often.
        UniqueConstraint("order_id", "purpose", "key"),
        CheckConstraint(_one_of(MessageState), name="state_known"),
        CheckConstraint("(state = 'queued') = (settled_at IS NULL)", name="settled_has_time"),
        CheckConstraint("state IN ('queued', 'sent') OR reason <> ''", name="failure_has_reason"),
        CheckConstraint("state = 'queued' OR lease_id IS NULL", name="settled_is_free"),
        Index("ix_message_due_at", "due_at", postgresql_where=text("state = 'queued'")),
        Index("ix_message_merchant_id_id", "merchant_id", "id"),
        Index("ix_message_merchant_id_state_id", "merchant_id", "state", "id"),
        Index(
            "ix_message_created_at",
            "created_at",
            postgresql_where=text("message_values IS NOT NULL"),
        ),
    )


def _attempt(metadata: MetaData) -> None:
    Table(
        "message_attempt",
        metadata,
        Column("message_id", Uuid, ForeignKey("message.id"), primary_key=True),
        Column("attempt_no", Integer, primary_key=True),
        Column("channel", Text, nullable=False),
        _word("sender"),
        Column("state", Text, nullable=False),
        _word("reason"),
        # What the other side calls it.
        _word("reference"),
        _word("to_mask"),
        _word("template"),
        clock_time("started_at"),
        _moment("ended_at"),
        CheckConstraint(_one_of(AttemptState), name="state_known"),
        CheckConstraint("(state = 'sending') = (ended_at IS NULL)", name="ended_has_time"),
        CheckConstraint("state IN ('sending', 'sent') OR reason <> ''", name="failure_has_reason"),
        Index(
            "ix_message_attempt_reference", "reference", postgresql_where=text("reference <> ''")
        ),
        # A message is on its way once at a time.
        Index(
            "uq_message_attempt_message_id_sending",
            "message_id",
            unique=True,
            postgresql_where=text("state = 'sending'"),
        ),
    )
