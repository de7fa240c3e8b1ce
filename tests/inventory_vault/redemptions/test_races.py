"""Many at once: what is spent is spent once, what is given back is given back once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.factories import Vault
from tests.inventory_vault.tills import FACE_VALUE, Till, money

Rows = Callable[..., Awaitable[list[Any]]]


async def _all(calls: list[Coroutine[Any, Any, httpx.Response]]) -> Counter[tuple[int, str]]:
    """How often each (status, code) came."""
    answers = await asyncio.gather(*calls)
    return Counter((it.status_code, it.json().get("code", "")) for it in answers)


async def _sold(till: Till, quantity: int = 1, **fields: Any) -> tuple[str, list[str]]:
    pool_id, _ = await till.stocked(quantity, **fields)
    return pool_id, [unit["unit_id"] for unit in await till.vault.sold(pool_id, quantity)]


async def test_of_fifty_who_redeem_one_voucher_wholly_one_wins(till: Till):
    pool_id, [unit_id] = await _sold(till)
    code = await till.code_of(unit_id)

    answers = await _all([till.redeem(code=code) for _ in range(50)])

    assert answers == {(201, ""): 1, (409, "voucher_used_up"): 49}
    assert (await till.vault.levels(pool_id))["redeemed"] == 1
    assert await till.vault.conserved(pool_id)


async def test_a_hundred_parts_of_a_balance_of_sixty_are_sixty(till: Till, rows: Rows):
    pool_id, [unit_id] = await _sold(till)

    answers = await _all([till.redeem(unit_id, amount=money(1)) for _ in range(100)])

    assert answers == {(201, ""): FACE_VALUE, (409, "voucher_used_up"): 100 - FACE_VALUE}
    [sums] = await rows(
        "SELECT sum(amount) AS amount, count(DISTINCT balance_after) AS balances, "
        "min(balance_after) AS last FROM redemption WHERE unit_id = :unit",
        unit=unit_id,
    )
    assert tuple(sums) == (FACE_VALUE, FACE_VALUE, 0)
    assert await till.left(unit_id) == 0
    assert await till.vault.conserved(pool_id)


async def test_parts_of_odd_sizes_never_add_up_to_more(till: Till, rows: Rows):
    _, [unit_id] = await _sold(till)

    await _all([till.redeem(unit_id, amount=money(1 + n % 17)) for n in range(60)])

    [found] = await rows(
        "SELECT sum(amount) AS spent FROM redemption WHERE unit_id = :unit", unit=unit_id
    )
    assert found.spent + await till.left(unit_id) == FACE_VALUE


async def test_a_reference_that_comes_forty_times_at_once_redeems_once(till: Till):
    _, [unit_id] = await _sold(till)
    reference = str(new_id())

    answers = await asyncio.gather(
        *(till.redeem(unit_id, amount=money(7), merchant_reference=reference) for _ in range(40))
    )

    assert {it.status_code for it in answers} == {201}
    assert len({it.json()["id"] for it in answers}) == 1
    assert await till.left(unit_id) == FACE_VALUE - 7


async def test_a_reference_for_many_vouchers_at_once_is_of_one_of_them(till: Till, rows: Rows):
    _, units = await _sold(till, 20)
    reference = str(new_id())

    answers = await _all([till.redeem(unit, merchant_reference=reference) for unit in units])

    assert answers == {(201, ""): 1, (422, "reference_reused"): 19}
    left = [await till.left(unit) for unit in units]
    assert sorted(left) == [0] + [FACE_VALUE] * 19


async def test_rollbacks_at_once_give_back_once(till: Till):
    pool_id, [unit_id] = await _sold(till)
    done = await till.redeemed(unit_id)

    answers = await asyncio.gather(*(till.roll_back(done["id"], f"r{n}") for n in range(20)))

    assert {it.status_code for it in answers} == {200}
    assert len({it.json()["rollback_reason"] for it in answers}) == 1
    assert await till.left(unit_id) == FACE_VALUE
    levels = await till.vault.levels(pool_id)
    assert (levels["sold"], levels["redeemed"]) == (1, 0)
    assert await till.vault.conserved(pool_id)


async def test_redemptions_racing_with_rollbacks_spend_every_cent_once(till: Till, rows: Rows):
    pool_id, [unit_id] = await _sold(till)

    async def churn(number: int) -> int:
        """Redeems and gives back, time and again; the last one stays if it was possible."""
        kept = 0
        for round_ in range(6):
            answer = await till.redeem(unit_id, amount=money(1 + number % 30))
            if answer.status_code != 201:
                assert answer.json()["code"] in ("balance_too_low", "voucher_used_up")
                continue
            if round_ < 5:
                back = await till.roll_back(answer.json()["id"])
                assert back.status_code == 200
            else:
                kept = answer.json()["amount"]["amount"]
        return kept

    kept = await asyncio.gather(*(churn(number) for number in range(24)))

    assert sum(kept) + await till.left(unit_id) == FACE_VALUE
    [found] = await rows(
        "SELECT sum(amount) AS spent FROM redemption r WHERE unit_id = :unit AND NOT EXISTS "
        "(SELECT 1 FROM redemption_rollback b WHERE b.redemption_id = r.id)",
        unit=unit_id,
    )
    assert (found.spent or 0) == sum(kept)
    state = (await till.balance(unit_id))["state"]
    assert state == ("redeemed" if sum(kept) == FACE_VALUE else "sold")
    assert await till.vault.conserved(pool_id)


async def test_a_rollback_racing_with_the_next_whole_redemption(till: Till):
    """Whoever comes first: nothing is lost, nothing is twice."""
    for _ in range(10):
        _, [unit_id] = await _sold(till)
        done = await till.redeemed(unit_id)

        back, again = await asyncio.gather(till.roll_back(done["id"]), till.redeem(unit_id))

        assert back.status_code == 200
        if again.status_code == 201:
            assert await till.left(unit_id) == 0
        else:
            assert again.json()["code"] == "voucher_used_up"
            assert await till.left(unit_id) == FACE_VALUE


@pytest.mark.parametrize("party", ["buyer", "shop"])
async def test_a_limit_holds_when_all_come_at_once(till: Till, party: str):
    pool_id, units = await _sold(till, 30, limits={f"per_{party}": 4})
    who = {f"{party}_id": "one"}

    answers = await _all([till.redeem(unit, **who) for unit in units])

    assert answers == {(201, ""): 4, (409, "voucher_limit_reached"): 26}
    assert (await till.vault.levels(pool_id))["redeemed"] == 4
    assert await till.vault.conserved(pool_id)


async def test_a_limit_holds_while_vouchers_are_given_back(till: Till, rows: Rows):
    _, units = await _sold(till, 24, limits={"per_buyer": 3})

    async def try_out(unit_id: str) -> None:
        answer = await till.redeem(unit_id, amount=money(5), buyer_id="ann")
        if answer.status_code == 201:
            again = await till.redeem(unit_id, amount=money(5), buyer_id="ann")
            for done in (answer, again):
                await till.roll_back(done.json()["id"])

    await asyncio.gather(*(try_out(unit) for unit in units))

    uses = await rows(
        "SELECT vouchers FROM voucher_use WHERE merchant_id = :merchant",
        merchant=till.vault.merchant,
    )
    assert [row.vouchers for row in uses] == [0]
    answers = await _all([till.redeem(unit, buyer_id="ann") for unit in units])
    assert answers[(201, "")] == 3


async def test_terms_put_amid_the_first_hold_come_before_it_or_not_at_all(till: Till):
    """A voucher is worth what its buyer was told when it was put aside for him."""
    for _ in range(5):
        pool_id, lot_id = await till.stocked()
        put = till.vault.client.put(
            f"/v1/lots/{lot_id}/voucher-terms", json={"face_value": money(1_000)}
        )

        answer, held = await asyncio.gather(put, till.vault.held(pool_id))

        sold = await till.vault.claim(held)
        unit_id = sold.json()["units"][0]["unit_id"]
        worth = {200: 1_000, 409: FACE_VALUE}[answer.status_code]
        assert await till.left(unit_id) == worth


async def test_views_and_redemptions_of_one_voucher_at_once(till: Till):
    pool_id, units = await _sold(till, 8)

    await asyncio.gather(
        *(till.code_of(unit) for unit in units), *(till.redeemed(unit) for unit in units)
    )

    assert (await till.vault.levels(pool_id))["redeemed"] == 8
    assert await till.vault.conserved(pool_id)


async def test_the_counts_of_all_lots_are_those_of_their_redemptions(
    till: Till, vault: Vault, db: Database
):
    """After everything above: books, balances and rows agree, for the whole database."""
    async with db.read() as tx:
        wrong = list(
            await tx.execute(
                text(
                    """
                    SELECT b.lot_id, b.seq FROM unit_balance b
                    JOIN allocation a ON a.lot_id = b.lot_id AND a.seq = b.seq
                    CROSS JOIN LATERAL (
                      SELECT coalesce(sum(r.amount), 0) AS spent, count(*) AS standing
                      FROM redemption r WHERE r.lot_id = b.lot_id AND r.seq = b.seq
                        AND NOT EXISTS (SELECT 1 FROM redemption_rollback x
                                        WHERE x.redemption_id = r.id)) s
                    WHERE (s.spent, s.standing) <> (b.redeemed, b.standing)
                      OR (a.state = 'redeemed') <>
                        (b.standing > 0 AND b.redeemed = coalesce(b.face_value, 0))
                    """
                )
            )
        )
    assert wrong == []
