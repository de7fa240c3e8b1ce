from sqlalchemy import Column, DateTime, MetaData, Table, Text, Uuid


def channel_tables(metadata: MetaData) -> None:
    Table(
        "channel_name",
        metadata,
        Column("channel_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("name", Text, nullable=False),
        # By the order that told it: an older one changes nothing.
        Column("told_at", DateTime(timezone=True), nullable=False),
    )
