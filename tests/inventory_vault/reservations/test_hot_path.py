"""What the hot path costs: statements, which no machine's mood changes."""

from collections.abc import Awaitable

from tests.inventory_vault.factories import Vault
from tests.stack.statements import noted_statements

NEW_TABLES = ("hold_share", "gap_run", "pool_pace", "pool_sample", "lot_check", "withdrawn_unit")


async def _statements(call: Awaitable[object]) -> list[str]:
    with noted_statements() as statements:
        await call
    return statements


async def test_a_sale_that_asks_for_nothing_special_meets_no_statement_of_the_features(
    vault: Vault,
):
    budget = {"ip": {"share_percent": 50, "units_min": 2}}
    pool_id = await vault.stocked(20, hold_budget=budget, low_cover_days=3, low_stock_threshold=2)
    await vault.sold(pool_id)

    reserving = await _statements(vault.reserve(pool_id))
    claiming = await _statements(vault.claim(await vault.held(pool_id)))

    for statement in [*reserving, *claiming]:
        assert not any(table in statement for table in NEW_TABLES), statement
    # The locked shelf; allocation, reservation and log together. The hold and its units; the rest.
    assert len(reserving) == 2, reserving
    assert len([sql for sql in claiming if "reservation" in sql]) == 3, claiming


async def test_a_holder_of_a_pool_without_a_budget_costs_nothing(
    vault: Vault,
):
    pool_id = await vault.stocked(5)
    plain = await _statements(vault.reserve(pool_id))
    named = await _statements(vault.reserve(pool_id, holder={"ip": "192.0.2.1"}))
    assert named == plain
