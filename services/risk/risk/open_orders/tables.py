from sqlalchemy import Column, DateTime, Index, MetaData, Table, Uuid, text

_KEYS = ("ip", "device", "customer", "contact")


def open_order_tables(metadata: MetaData) -> None:
    """One row for each order that waits for its payment, gone once it is paid or has ended."""
    Table(
        "open_order",
        metadata,
        Column("order_id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        *(Column(f"{kind}_key", Uuid) for kind in _KEYS),
        Index("ix_open_order_at", "at"),
        *(
            Index(
                f"ix_open_order_{kind}_key",
                f"{kind}_key",
                postgresql_where=text(f"{kind}_key IS NOT NULL"),
            )
            for kind in _KEYS
        ),
    )
