"""Extending holds, and claiming them partly."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.service import Service
from tests.inventory_vault.factories import Vault


async def _extend(vault: Vault, reservation_id: str, seconds: int = 600) -> httpx.Response:
    return await vault.client.post(
        f"/v1/reservations/{reservation_id}/extend", json={"hold_seconds": seconds}
    )


async def _claim(vault: Vault, reservation_id: str, *lines: tuple[int, int]) -> httpx.Response:
    named = [{"line_no": line_no, "quantity": quantity} for line_no, quantity in lines]
    return await vault.client.post(
        f"/v1/reservations/{reservation_id}/claim", json={"lines": named} if named else {}
    )


async def _in_past(service: Service, sql: str, reservation_id: str) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text(f"UPDATE reservation SET {sql} WHERE id = :r"), {"r": reservation_id})  # noqa: S608


async def test_a_hold_is_extended_from_now_on(vault: Vault):
    pool_id = await vault.stocked(1)
    held = await vault.reserve(pool_id, 1, hold_seconds=10)
    longer = await _extend(vault, held.json()["id"], 3_000)
    assert (longer.status_code, longer.json()["status"]) == (200, "held")
    assert longer.json()["expires_at"] > held.json()["expires_at"]


async def test_no_hold_lasts_longer_than_a_day_from_its_beginning(vault: Vault, service: Service):
    pool_id = await vault.stocked(1)
    held = await vault.held(pool_id)
    await _in_past(service, "created_at = now() - interval '23 hours'", held)
    assert (await _extend(vault, held, 3_500)).status_code == 200
    refused = await _extend(vault, held, 3_700)
    assert (refused.status_code, refused.json()["code"]) == (409, "hold_too_long")


async def test_what_is_not_held_is_not_extended(vault: Vault, service: Service):
    pool_id = await vault.stocked(4)
    released, sold, secured = [await vault.held(pool_id) for _ in range(3)]
    await vault.release(released)
    await vault.claim(sold)
    await _in_past(service, "status = 'secured', expires_at = NULL", secured)
    codes = [(await _extend(vault, id_)).json()["code"] for id_ in (released, sold, secured)]
    assert codes == ["reservation_released", "reservation_sold", "reservation_secured"]


async def test_extension_and_expiry_raced_have_one_winner(vault: Vault, service: Service):
    pool_id = await vault.stocked(20)
    holds = [await vault.held(pool_id) for _ in range(20)]
    for held in holds:
        await _in_past(service, "expires_at = now() - interval '1 second'", held)
    sweep = next(job for job in service.jobs if job.name == "expire-reservations")
    answers = await asyncio.gather(*(_extend(vault, held) for held in holds), sweep._run())
    codes = {answer.status_code for answer in answers if isinstance(answer, httpx.Response)}
    assert codes <= {200, 409}
    extended = sum(isinstance(a, httpx.Response) and a.status_code == 200 for a in answers)
    levels = await vault.levels(pool_id)
    assert (levels["reserved"], levels["available"]) == (extended, 20 - extended)


async def _two_lines(vault: Vault) -> tuple[str, str, str]:
    """Two pools, and a hold of 3 and 2 of them."""
    first, second = await vault.stocked(5, prefix="A"), await vault.stocked(5, prefix="B")
    lines = [{"pool_id": first, "quantity": 3}, {"pool_id": second, "quantity": 2}]
    answer = await vault.client.post(
        "/v1/reservations", json={"reference": "partly", "lines": lines}
    )
    return first, second, answer.json()["id"]


async def test_some_units_of_some_lines_are_sold_and_the_rest_goes_back(vault: Vault):
    first, second, held = await _two_lines(vault)

    sold = await _claim(vault, held, (1, 2))

    assert sold.status_code == 200, sold.text
    assert [unit["line_no"] for unit in sold.json()["units"]] == [1, 1]
    levels = [await vault.levels(pool_id) for pool_id in (first, second)]
    assert [(lv["sold"], lv["available"], lv["reserved"]) for lv in levels] == [
        (2, 3, 0),
        (0, 5, 0),
    ]
    read = (await vault.client.get(f"/v1/reservations/{held}")).json()
    assert read["status"] == "sold"
    assert [(line["quantity"], line["sold_quantity"]) for line in read["lines"]] == [(3, 2), (2, 0)]
    assert await vault.conserved(first)
    assert await vault.conserved(second)


async def test_a_repeat_answers_the_same_units_and_another_way_is_refused(vault: Vault):
    _, _, held = await _two_lines(vault)
    sold = await _claim(vault, held, (1, 2), (2, 1))
    again = await _claim(vault, held, (2, 1), (1, 2))
    assert again.json()["units"] == sold.json()["units"]
    for lines in ([(1, 2)], [(1, 3), (2, 1)], []):
        other = await _claim(vault, held, *lines)
        assert (other.status_code, other.json()["code"]) == (409, "reservation_sold")


async def test_all_lines_named_whole_are_the_whole_claim(vault: Vault):
    _, _, held = await _two_lines(vault)
    named = await _claim(vault, held, (1, 3), (2, 2))
    assert (await _claim(vault, held)).json()["units"] == named.json()["units"]


@pytest.mark.parametrize("lines", [[(1, 4)], [(3, 1)], [(1, 1), (2, 3)]])
async def test_more_than_held_is_refused(vault: Vault, lines: list[tuple[int, int]]):
    _, _, held = await _two_lines(vault)
    refused = await _claim(vault, held, *lines)
    assert (refused.status_code, refused.json()["code"]) == (422, "claim_exceeds_hold")
    assert (await vault.client.get(f"/v1/reservations/{held}")).json()["status"] == "held"


async def test_a_line_is_named_once(vault: Vault):
    _, _, held = await _two_lines(vault)
    assert (await _claim(vault, held, (1, 1), (1, 1))).status_code == 422


async def test_items_of_a_batch_are_claimed_partly_too(vault: Vault):
    pool_id = await vault.stocked(6)
    holds = [await vault.held(pool_id, 3) for _ in range(2)]
    items: list[dict[str, Any]] = [
        {"reservation_id": holds[0], "lines": [{"line_no": 1, "quantity": 1}]},
        {"reservation_id": holds[1]},
        {"reservation_id": holds[0]},
    ]
    answer = await vault.client.post("/v1/reservations/claims", json={"items": items})
    results = answer.json()["items"]
    assert [result["result"] for result in results] == ["sold", "sold", "reservation_sold"]
    assert [len(result["units"] or ()) for result in results] == [1, 3, 0]
    levels = await vault.levels(pool_id)
    assert (levels["sold"], levels["available"]) == (4, 2)
    assert await vault.conserved(pool_id)


async def test_partial_claims_raced_sell_one_way(vault: Vault):
    pool_id = await vault.stocked(10)
    held = await vault.held(pool_id, 6)
    answers = await asyncio.gather(*(_claim(vault, held, (1, n % 3 + 1)) for n in range(12)))
    sold = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 409}
    assert len({str(answer.json()["units"]) for answer in sold}) == 1
    assert (await vault.levels(pool_id))["sold"] == len(sold[0].json()["units"])
    assert await vault.conserved(pool_id)
