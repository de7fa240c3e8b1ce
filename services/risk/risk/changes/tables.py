from sqlalchemy import CheckConstraint, Column, Index, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time
from risk.changes.domain import ChangeKind

_KINDS = ", ".join(f"'{kind}'" for kind in ChangeKind)


def change_tables(metadata: MetaData) -> None:
    """Written once: the trigger change_append_only refuses all else."""
    Table(
        "change",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        clock_time("at"),
        Column("author", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("about", Uuid, nullable=False),
        Column("was", JSONB),
        CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
        Index("ix_change_merchant_id_id", "merchant_id", "id"),
        Index("ix_change_merchant_id_kind_id", "merchant_id", "kind", "id"),
        Index("ix_change_about_id", "about", "id"),
    )
