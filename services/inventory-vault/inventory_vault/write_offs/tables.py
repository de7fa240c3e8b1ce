from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text, Uuid, func

from inventory_vault.metadata import metadata

# The primary key is the promise that no unit is told to the books twice.
written_off_unit = Table(
    "written_off_unit",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("is_expired", Boolean, nullable=False),
    Column("write_off_id", Uuid, nullable=False),
    Column(
        "written_off_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
)

# Sold vouchers whose time was over while something was left on them, told once.
expired_voucher = Table(
    "expired_voucher",
    metadata,
    Column("unit_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column(
        "told_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()
    ),
)
