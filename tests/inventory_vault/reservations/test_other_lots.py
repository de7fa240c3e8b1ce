"""Reservations that leave lots out: what replaces a bad unit comes from another lot."""

from typing import Any

import httpx

from kit.ids import new_id
from tests.inventory_vault.factories import Vault


async def _reserve(
    vault: Vault, pool_id: str, but: list[str], *, quantity: int = 1, reference: str | None = None
) -> httpx.Response:
    line = {"pool_id": pool_id, "quantity": quantity, "exclude_lots": but}
    body = {"reference": reference or str(new_id()), "lines": [line]}
    return await vault.client.post("/v1/reservations", json=body)


async def _two_lots(vault: Vault) -> tuple[str, str, str]:
    """A pool with a lot that goes first and one that goes second, of two units each."""
    pool_id = await vault.pool()
    first = await vault.add_lot(pool_id, 2, prefix="ONE", expires_at="2090-01-01T00:00:00Z")
    second = await vault.add_lot(pool_id, 2, prefix="TWO", expires_at="2095-01-01T00:00:00Z")
    return pool_id, first["lot_id"], second["lot_id"]


async def _lots(vault: Vault, answer: httpx.Response) -> set[str]:
    assert answer.status_code == 201, answer.text
    claimed = await vault.claim(answer.json()["id"])
    return {unit["lot_id"] for unit in claimed.json()["units"]}


async def test_the_units_come_of_another_lot(vault: Vault) -> None:
    pool_id, first, second = await _two_lots(vault)
    assert await _lots(vault, await _reserve(vault, pool_id, [first])) == {second}
    assert await _lots(vault, await _reserve(vault, pool_id, [])) == {first}
    assert await vault.conserved(pool_id)


async def test_without_another_lot_nothing_is_held(vault: Vault) -> None:
    pool_id, first, second = await _two_lots(vault)
    refused = await _reserve(vault, pool_id, [first], quantity=3)
    assert (refused.status_code, refused.json()["code"]) == (409, "out_of_stock")
    assert refused.json()["lines"][0]["available"] == 2
    nothing = await _reserve(vault, pool_id, [first, second])
    assert nothing.json()["lines"][0]["available"] == 0
    assert (await vault.levels(pool_id))["reserved"] == 0
    assert await vault.conserved(pool_id)


async def test_the_same_reference_holds_the_same_unit_and_other_lots_are_another_wish(
    vault: Vault, rows: Any
) -> None:
    pool_id, first, second = await _two_lots(vault)
    one = await _reserve(vault, pool_id, [first], reference="claim:1")
    two = await _reserve(vault, pool_id, [first], reference="claim:1")
    other = await _reserve(vault, pool_id, [second], reference="claim:1")
    assert one.json()["id"] == two.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "reference_reused")


async def test_the_lots_that_are_left_out_are_few(vault: Vault) -> None:
    pool_id = await vault.stocked(1)
    answer = await _reserve(vault, pool_id, [str(new_id()) for _ in range(21)])
    assert answer.status_code == 422
