from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time
from order.steps.domain import OPEN, WAITING, StepState
from order.tables import metadata


def _one_of(states: frozenset[StepState] | type[StepState]) -> str:
    # In the order of the enum: the text is compared with the migration's.
    return ", ".join(f"'{state.value}'" for state in StepState if state in states)


# No foreign key to orders: a step is written in the transaction that holds its order's row.
saga_step = Table(
    "saga_step",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("order_id", Uuid, nullable=False, index=True),
    Column("line_id", Uuid),
    Column("kind", Text, nullable=False),
    # Our reference outside, the same on every attempt: a second step of the same cannot be
    # written down.
    Column("ext_ref", Uuid, nullable=False),
    # The trigger saga_step_transition refuses what LEGAL in domain.py does not allow.
    Column("state", Text, nullable=False, server_default="intent"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    # Counts the turns of workers: only the turn that took a step may end it.
    Column("version", Integer, nullable=False, server_default="0"),
    Column("args", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("result", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("last_error", Text, nullable=False, server_default=""),
    # Nobody takes it before. Taking it moves this to the end of the lease.
    clock_time("next_at"),
    Column("deadline_at", DateTime(timezone=True), nullable=False),
    clock_time("created_at"),
    clock_time("updated_at"),
    UniqueConstraint("ext_ref"),
    CheckConstraint(f"state IN ({_one_of(StepState)})", name="state_known"),
    Index("ix_saga_step_due", "next_at", postgresql_where=text(f"state IN ({_one_of(OPEN)})")),
    Index(
        "ix_saga_step_open",
        "merchant_id",
        postgresql_where=text(f"state IN ({_one_of(WAITING)})"),
    ),
)
