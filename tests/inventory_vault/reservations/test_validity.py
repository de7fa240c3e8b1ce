"""A minimum remaining validity per line."""

from datetime import UTC, datetime, timedelta

from kit.ids import new_id
from tests.inventory_vault.factories import Vault
from tests.inventory_vault.raw_lots import add_raw_lot

DAY = 86_400
NOW = datetime.now(UTC)


def _days(*days: float | None) -> list[datetime | None]:
    return [None if day is None else NOW + timedelta(days=day) for day in days]


async def _line(vault: Vault, pool_id: str, quantity: int, seconds: int):
    body = {
        "reference": str(new_id()),
        "lines": [{"pool_id": pool_id, "quantity": quantity, "min_valid_seconds": seconds}],
    }
    return await vault.client.post("/v1/reservations", json=body)


async def _seqs(rows, reservation_id: str) -> list[int]:
    found = await rows(
        "SELECT seq FROM allocation WHERE reservation_id = :r ORDER BY seq", r=reservation_id
    )
    return [row.seq for row in found]


async def test_only_units_that_stay_valid_are_given_the_first_to_expire_first(
    vault: Vault, db, rows
):
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 6, expiries=_days(1, 2, 3, 4, 5, None))

    held = await _line(vault, pool_id, 2, int(2.5 * DAY))
    never = await _line(vault, pool_id, 2, 4 * DAY + 9)

    assert await _seqs(rows, held.json()["id"]) == [3, 4]
    assert held.json()["lines"][0]["min_valid_seconds"] == int(2.5 * DAY)
    assert await _seqs(rows, never.json()["id"]) == [5, 6]
    assert await _seqs(rows, await vault.held(pool_id, 2)) == [1, 2]
    assert (await vault.levels(pool_id))["reserved"] == 6
    assert await vault.conserved(pool_id)


async def test_too_few_that_stay_valid_are_named_and_nothing_is_held(vault: Vault, db):
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 4, expiries=_days(1, 2, 3, 4))
    answer = await _line(vault, pool_id, 3, int(2.5 * DAY))
    assert (answer.status_code, answer.json()["code"]) == (409, "out_of_stock")
    assert answer.json()["lines"][0]["available"] == 2
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["reserved"]) == (4, 0)
    assert await vault.conserved(pool_id)


async def test_a_lot_that_ends_as_a_whole_is_passed_over(vault: Vault, db, rows):
    pool_id = await vault.pool()
    soon, later = (NOW + timedelta(days=day) for day in (1, 9))
    await add_raw_lot(db, vault.merchant, pool_id, 2, expires_at=soon)
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 2, expires_at=later)
    held = await _line(vault, pool_id, 2, 2 * DAY)
    [row] = await rows(
        "SELECT min(lot_id::text) AS lot FROM allocation WHERE reservation_id = :r",
        r=held.json()["id"],
    )
    assert row.lot == lot_id
    assert (await _line(vault, pool_id, 1, 2 * DAY)).json()["lines"][0]["available"] == 0


async def test_what_is_given_back_ahead_of_the_cursor_is_given_again(vault: Vault, db, rows):
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 9, expiries=_days(*range(1, 10)))
    holds = [(await _line(vault, pool_id, 1, 4 * DAY + n)).json()["id"] for n in range(4)]
    assert [(await _seqs(rows, hold))[0] for hold in holds] == [5, 6, 7, 8]
    await vault.release(holds[1])
    runs = await rows(
        "SELECT first_seq, last_seq FROM gap_run WHERE merchant_id = :m ORDER BY 1",
        m=vault.merchant,
    )
    assert [(run.first_seq, run.last_seq) for run in runs] == [(5, 5), (7, 8)]
    again = await _line(vault, pool_id, 2, 4 * DAY + 9)
    assert await _seqs(rows, again.json()["id"]) == [6, 9]
    assert await _seqs(rows, await vault.held(pool_id, 4)) == [1, 2, 3, 4]
    assert (await vault.reserve(pool_id)).status_code == 409
    assert await vault.conserved(pool_id)


async def test_the_same_reference_with_another_validity_is_another_wish(vault: Vault, db):
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 4, expiries=_days(5, 6, 7, 8))
    first = await vault.client.post(
        "/v1/reservations",
        json={
            "reference": "one",
            "lines": [{"pool_id": pool_id, "quantity": 1, "min_valid_seconds": DAY}],
        },
    )
    assert first.status_code == 201
    other = await vault.reserve(pool_id, 1, reference="one")
    assert other.json()["code"] == "reference_reused"


async def test_lines_with_and_without_a_validity_are_held_together_or_not_at_all(vault: Vault, db):
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 3, expiries=_days(1, 5, 6))
    lines = [
        {"pool_id": pool_id, "quantity": 2, "min_valid_seconds": 2 * DAY},
        {"pool_id": pool_id, "quantity": 2},
    ]
    answer = await vault.client.post("/v1/reservations", json={"reference": "both", "lines": lines})
    assert (answer.status_code, answer.json()["lines"][0]["line_no"]) == (409, 2)
    assert (await vault.levels(pool_id))["available"] == 3
    lines[1]["quantity"] = 1
    answer = await vault.client.post("/v1/reservations", json={"reference": "both", "lines": lines})
    assert answer.status_code == 201
    assert await vault.conserved(pool_id)
