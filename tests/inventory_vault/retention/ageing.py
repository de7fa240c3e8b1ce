"""Sales and withdrawals of long ago, and the rounds that shred them."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from sqlalchemy import text

from inventory_vault.retention.service import RetentionService
from kit.db import Database
from kit.errors import Unavailable

DAYS = 180
ROUNDS_MAX = 500

AGED = {
    "unit_sale": (
        "UPDATE unit_sale SET sold_at = clock_timestamp() - make_interval(secs => :s) "
        "WHERE merchant_id = :m"
    ),
    "withdrawn_unit": (
        "UPDATE withdrawn_unit SET withdrawn_at = clock_timestamp() - make_interval(secs => :s) "
        "WHERE merchant_id = :m"
    ),
    "stock_action": (
        "UPDATE stock_action SET acted_at = clock_timestamp() - make_interval(secs => :s) "
        "WHERE merchant_id = :m"
    ),
    "lot": (
        "UPDATE lot SET expires_at = clock_timestamp() - make_interval(secs => :s), "
        "head_expires_at = clock_timestamp() - make_interval(secs => :s) WHERE merchant_id = :m"
    ),
}


async def age(db: Database, table: str, merchant: UUID, *, days: float, seconds: float = 0) -> None:
    """What the table dates of a merchant is so old now; the progress begins anew."""
    async with db.transaction() as tx:
        await tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        values = {"m": merchant, "s": days * 86_400 + seconds}
        await tx.execute(text(AGED[table]), values)
        await tx.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
        await tx.execute(text("DELETE FROM shred_progress"))


async def shred(db: Database, *, days: int = DAYS, batch_units: int = 5_000) -> int:
    """As the worker does, which comes again where the database is busy; how many rounds it took."""
    retention = RetentionService(days=days, batch_units=batch_units)
    for rounds in range(1, ROUNDS_MAX):
        with suppress(Unavailable):
            async with db.transaction() as tx:
                if not await retention.shred_due(tx):
                    return rounds
    raise AssertionError("it does not end")


async def boxes(db: Database, merchant: UUID) -> tuple[int, int]:
    """(units with a box, units without)"""
    async with db.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT count(*) FILTER (WHERE octet_length(box) > 0) AS whole, "
                "count(*) FILTER (WHERE octet_length(box) + octet_length(nonce) = 0) AS empty "
                "FROM unit WHERE merchant_id = :m"
            ),
            {"m": merchant},
        )
        row = rows.one()
    return row.whole, row.empty


async def told(rows: Any, merchant: UUID) -> list[Any]:
    """The shreddings of a merchant, the oldest first."""
    found: list[Any] = await rows(
        "SELECT * FROM shredding WHERE merchant_id = :m ORDER BY id", m=merchant
    )
    return found
