"""What the hot path costs: statements, which no machine's mood changes."""

from typing import Any

import pytest

from kit.db import Transaction
from tests.inventory_vault.factories import Vault

NEW_TABLES = ("hold_share", "gap_run", "pool_pace", "pool_sample", "lot_check", "withdrawn_unit")


async def _statements(monkeypatch: pytest.MonkeyPatch, call: Any) -> list[str]:
    seen: list[str] = []
    execute = Transaction.execute

    async def watched(self: Transaction, statement: Any, parameters: Any = None) -> Any:
        seen.append(str(statement))
        return await execute(self, statement, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "execute", watched)
        await call
    return seen


async def test_a_sale_that_asks_for_nothing_special_meets_no_statement_of_the_features(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
):
    budget = {"ip": {"share_percent": 50, "units_min": 2}}
    pool_id = await vault.stocked(20, hold_budget=budget, low_cover_days=3, low_stock_threshold=2)
    await vault.sold(pool_id)

    reserving = await _statements(monkeypatch, vault.reserve(pool_id))
    claiming = await _statements(monkeypatch, vault.claim(await vault.held(pool_id)))

    for statement in [*reserving, *claiming]:
        assert not any(table in statement for table in NEW_TABLES), statement
    # The locked shelf, the allocation, the reservation.
    moving = [s for s in reserving if "pool" in s or "reservation" in s or "allocation" in s]
    assert len(moving) == 3, moving


async def test_a_holder_of_a_pool_without_a_budget_costs_nothing(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
):
    pool_id = await vault.stocked(5)
    plain = await _statements(monkeypatch, vault.reserve(pool_id))
    named = await _statements(monkeypatch, vault.reserve(pool_id, holder={"ip": "192.0.2.1"}))
    assert named == plain
