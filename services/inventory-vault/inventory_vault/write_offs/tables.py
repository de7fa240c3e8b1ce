from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text, Uuid

from inventory_vault.metadata import metadata
from kit.db import clock_time

# The primary key is the promise that no unit is told to the books twice.
written_off_unit = Table(
    "written_off_unit",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("is_expired", Boolean, nullable=False),
    Column("write_off_id", Uuid, nullable=False),
    clock_time("written_off_at"),
)

# Sold vouchers whose time was over while something was left on them, told once.
expired_voucher = Table(
    "expired_voucher",
    metadata,
    Column("unit_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    clock_time("told_at"),
)

# What of a lot's vouchers expired up to here needs no look any more: each was told, is used up, or
# will never be sold. Without a row nothing was looked at.
voucher_watch = Table(
    "voucher_watch",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("told_until", DateTime(timezone=True), nullable=False),
)
