"""Reads the books out of a vault's database."""

import time
from collections.abc import Mapping

import asyncpg

from tests.history.books import (
    AllocationRow,
    Books,
    FreeRow,
    HandoutRow,
    LineRow,
    LotRow,
    ReservationRow,
    SaleRow,
    UnitRow,
    ViewRow,
    WithdrawnRow,
)

_LOTS = """
    SELECT l.id::text AS lot, l.pool_id::text AS pool, l.state, l.size, l.next_seq, l.free_count,
      l.gaps_ahead, t.sold, t.opened, t.redeemed, t.expired, t.quarantined, t.void
    FROM lot l JOIN lot_tally t ON t.lot_id = l.id
"""
_UNITS = "SELECT unit_id::text, lot_id::text, seq, encode(fingerprint, 'hex') FROM unit"
_ALLOCATIONS = "SELECT lot_id::text, seq, reservation_id::text, line_no, state FROM allocation"
_FREE = "SELECT lot_id::text, seq FROM free_unit"
_WITHDRAWN = "SELECT lot_id::text, seq, state FROM withdrawn_unit"
_SALES = "SELECT unit_id::text, lot_id::text, seq, reservation_id::text, line_no FROM unit_sale"
_RESERVATIONS = """
    SELECT id::text, reference, status, CASE WHEN status = 'held'
      THEN greatest(0, extract(epoch FROM clock_timestamp() - expires_at))::float8
      ELSE 0 END
    FROM reservation
"""
_LINES = "SELECT reservation_id::text, line_no, pool_id::text, quantity FROM reservation_line"
_HANDOUTS = "SELECT id::text, reservation_id::text FROM handout"
_VIEWS = "SELECT id::text, unit_id::text, reservation_id::text FROM unit_view"


async def read_rows(url: str, code_of: Mapping[str, str]) -> Books:
    """All tables in one snapshot. `code_of`: the hash of each known code by its fingerprint."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            read = connection.fetch
            return Books(
                lots=[LotRow(**row) for row in await read(_LOTS)],
                units=[
                    UnitRow(unit, lot, seq, code_of.get(fingerprint, ""))
                    for unit, lot, seq, fingerprint in await read(_UNITS)
                ],
                allocations=[AllocationRow(*row) for row in await read(_ALLOCATIONS)],
                free=[FreeRow(*row) for row in await read(_FREE)],
                withdrawn=[WithdrawnRow(*row) for row in await read(_WITHDRAWN)],
                sales=[SaleRow(*row) for row in await read(_SALES)],
                reservations=[ReservationRow(*row) for row in await read(_RESERVATIONS)],
                lines=[LineRow(*row) for row in await read(_LINES)],
                handouts=[HandoutRow(*row) for row in await read(_HANDOUTS)],
                views=[ViewRow(*row) for row in await read(_VIEWS)],
                at=time.monotonic_ns(),
            )
    finally:
        await connection.close()
