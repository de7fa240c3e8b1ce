from sqlalchemy import Column, DateTime, MetaData, Table, Text, UniqueConstraint, Uuid, func


def holding_tables(metadata: MetaData) -> None:
    """Adds this slice's table to the service's metadata."""
    # What a buyer's links name. With another id all earlier links of the buyer have ended.
    Table(
        "holding_page",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("customer_id", Text, nullable=False),
        Column(
            "created_at",
            DateTime(timezone=True),
            nullable=False,
            server_default=func.clock_timestamp(),
        ),
        UniqueConstraint("merchant_id", "customer_id"),
    )
