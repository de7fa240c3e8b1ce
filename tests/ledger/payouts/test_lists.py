"""Lists of payouts and settlements are found by an index, however many there are of others."""

import re
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from ledger.payouts.domain import PayoutState
from ledger.payouts.repository import PayoutRepository
from ledger.settlements.repository import SettlementRepository
from tests.ledger.factories import MERCHANT
from tests.stack.statements import rows_fetched

OTHERS = 20_000
SCANNED_MAX = 200
"""Rows that are read for an answer of a few."""
_FILL = (
    """
    INSERT INTO payout (id, merchant_id, currency, amount_minor, state, payee_name, payee_account,
        payee_bank, created_by, approved_by)
    SELECT gen_random_uuid(), CASE n % 10000 WHEN 0 THEN CAST(:merchant AS uuid)
        ELSE gen_random_uuid() END, 'CNY', 1, CASE n % 10000 WHEN 0 THEN 'approved' ELSE 'paid' END,
        '', '', '', 'a', 'b' FROM generate_series(1, CAST(:others AS int)) AS n
    """,
    """
    INSERT INTO settlement (id, merchant_id, currency, period_end, state, opening_minor,
        closing_minor, due_on, payout_min_minor, created_by, closed_at)
    SELECT id, merchant_id, 'CNY', created_at, 'closed', 0, 0, '2026-11-28', 0, 'a', created_at
    FROM payout
    """,
    "ANALYZE payout, settlement",
)


@pytest.fixture
async def full(db: Database) -> Database:
    async with db.transaction() as tx:
        for sql in _FILL:
            values = {"merchant": MERCHANT, "others": OTHERS}
            named = set(re.findall(r"(?<!:):([a-z]+)\b", sql))
            await tx.execute(text(sql), {it: values[it] for it in values if it in named})
    return db


@pytest.mark.parametrize(
    ("merchant", "state", "number"),
    [
        (MERCHANT, None, 2),
        (None, PayoutState.APPROVED, 2),
        (MERCHANT, PayoutState.APPROVED, 2),
        (MERCHANT, PayoutState.FAILED, 0),
        (None, None, 50),
    ],
)
async def test_payouts_of_one_merchant_or_state_are_found_among_many_others(
    full: Database, merchant: UUID | None, state: PayoutState | None, number: int
) -> None:
    async with full.transaction() as tx:
        earlier = await rows_fetched(tx, "payout", "settlement")
        found = await PayoutRepository().list_payouts(
            tx, merchant, state=state, before=None, limit=50
        )
        fetched = await rows_fetched(tx, "payout", "settlement") - earlier

    assert len(found) == number
    assert fetched <= SCANNED_MAX


@pytest.mark.parametrize(("merchant", "number"), [(MERCHANT, 2), (None, 50), (new_id(), 0)])
async def test_settlements_of_one_merchant_are_found_among_many_others(
    full: Database, merchant: UUID | None, number: int
) -> None:
    async with full.transaction() as tx:
        earlier = await rows_fetched(tx, "payout", "settlement")
        found = await SettlementRepository().list_settlements(
            tx, merchant, state=None, before=None, limit=50
        )
        fetched = await rows_fetched(tx, "payout", "settlement") - earlier

    assert len(found) == number
    assert fetched <= SCANNED_MAX
