"""Units by state: the same whichever way they are found, and a rare state costs little."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.units import repository
from inventory_vault.units.domain import UnitFilter
from inventory_vault.units.schemas import UnitStateText
from kit.db import Database
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.raw_lots import add_raw_lot
from tests.stack.statements import noted_statements

UNITS = int(os.environ.get("LOCKSTOCK_LISTED_UNITS", "20000"))
STATES = get_args(UnitStateText)


async def _act(vault: Vault, kind: str, id_: str, action: str) -> None:
    answer = await vault.client.post(f"/v1/{kind}/{id_}/{action}", json={"reason": "a test"})
    assert answer.status_code == 200, answer.text


async def _listed(vault: Vault, **query: Any) -> list[Any]:
    """Page after page."""
    found: list[Any] = []
    while True:
        answer = await vault.client.get("/v1/units", params=query)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if not (cursor := answer.json()["next_cursor"]):
            return found
        query["cursor"] = cursor


async def _mixed_pool(vault: Vault, db: Database) -> str:
    """Lots of every kind, with units of every state ahead of the cursor, behind it and beside."""
    now = datetime.now(UTC)
    pool_id = await vault.stocked(12)
    await vault.release(await vault.held(pool_id, 5))
    await vault.held(pool_id, 2)
    opened, *_ = await vault.sold(pool_id, 3)
    assert (await vault.reveal(opened["unit_id"], Recipient())).status_code == 200
    units = [unit["id"] for unit in await _listed(vault, pool_id=pool_id, state="available")]
    await _act(vault, "units", units[-1], "void")
    await _act(vault, "units", units[-3], "quarantine")
    expiries = [now - timedelta(hours=1), now - timedelta(minutes=1), now + timedelta(days=1)]
    await add_raw_lot(db, vault.merchant, pool_id, 3, expiries=expiries)
    await add_raw_lot(db, vault.merchant, pool_id, 2, expires_at=now - timedelta(hours=1))
    await add_raw_lot(db, vault.merchant, pool_id, 4, needs_activation=True)
    for action in ("quarantine", "void"):
        lot_id = await add_raw_lot(db, vault.merchant, pool_id, 4)
        unit = (await _listed(vault, lot_id=lot_id))[1]["id"]
        await _act(vault, "units", unit, "void" if action == "quarantine" else "quarantine")
        await _act(vault, "lots", lot_id, action)
    return pool_id


@pytest.mark.parametrize("limit", [1, 3, 200])
async def test_a_state_is_listed_as_it_stands_among_all_units(
    vault: Vault, db: Database, limit: int
):
    pool_id = await _mixed_pool(vault, db)
    everything = await _listed(vault, pool_id=pool_id)
    lot_id = everything[0]["lot_id"]

    assert {unit["state"] for unit in everything} >= set(STATES) - {"redeemed", "undone"}
    for state in STATES:
        wanted = [unit for unit in everything if unit["state"] == state]
        assert await _listed(vault, pool_id=pool_id, state=state, limit=limit) == wanted, state
        of_lot = [unit for unit in wanted if unit["lot_id"] == lot_id]
        assert await _listed(vault, lot_id=lot_id, state=state, limit=limit) == of_lot, state


async def test_a_rare_state_is_found_without_walking_the_stock(vault: Vault, db: Database):
    pool_id = await _large_pool(vault, db)

    for state in set(STATES) - {"available"}:
        found, looked_at = await _looked_at(db, vault.merchant, UUID(pool_id), state)
        assert found == (1 if state in ("reserved", "quarantined") else 0), state
        assert looked_at < UNITS / 10, state


async def _looked_at(db: Database, merchant: UUID, pool_id: UUID, state: str) -> tuple[int, float]:
    """How many units are listed, and how many rows that takes."""
    values = {"merchant": merchant, "pool": pool_id, "lot": None, "limit": 101, "state": state}
    async with db.read() as tx:
        wanted = UnitFilter(pool_id=pool_id, state=state)
        with noted_statements() as statements:
            units = await repository.list_of(tx, merchant, wanted, after=None, limit=101)
        explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statements[-1]}")
        rows = await tx.execute(explain, {**values, "after_lot": None, "after_seq": None})
        return len(units), sum(_rows_read(rows.scalar_one()[0]["Plan"]))


def _rows_read(node: dict[str, Any]) -> Iterator[float]:
    """Of each step of a plan: those it gave and those it looked at in vain."""
    seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    yield (seen + node.get("Rows Removed by Join Filter", 0)) * node["Actual Loops"]
    for inner in node.get("Plans", ()):
        yield from _rows_read(inner)


async def _large_pool(vault: Vault, db: Database) -> str:
    """Nearly all of it available; one unit held, one quarantined."""
    pool_id = await vault.pool()
    for _ in range(4):
        await add_raw_lot(db, vault.merchant, pool_id, UNITS // 4)
    await vault.held(pool_id)
    first = (await vault.client.get("/v1/units", params={"pool_id": pool_id, "limit": 5})).json()
    await _act(vault, "units", first["items"][-1]["id"], "quarantine")
    async with db.transaction() as tx:
        await tx.execute(text("ANALYZE"))
    return pool_id
