"""Who shows codes that do not exist is slowed down, and learns nothing from the answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from inventory_vault.redemptions.domain import Allowance, Asker, CodeNotFound, TooManyWrongCodes
from inventory_vault.redemptions.service import MISS_SECONDS, CodeGuard, RedemptionService
from inventory_vault.settings import Settings
from inventory_vault.vouchers.domain import CodeForm
from kit.db import Database
from kit.ids import new_id
from sealing import Fingerprinter
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import Vault
from tests.inventory_vault.tills import Till, refused

Rows = Callable[..., Awaitable[list[Any]]]


def unknown_codes() -> list[str]:
    """Valid codes that nobody made."""
    return list(CodeForm("", 15).codes(bytes(range(232)) * 6))


def wrong(code: str) -> str:
    """The code with its last symbol replaced by the next one."""
    return code[:-1] + ("2" if code[-1] != "2" else "3")


async def test_wrong_codes_are_limited_per_key_and_told_when_to_come_again(
    till: Till, settings: Settings, rows: Rows
):
    [unit_id] = await till.sold()
    code = await till.code_of(unit_id)
    guesses = [
        await till.redeem(code=each) for each in unknown_codes()[: settings.wrong_codes_burst]
    ]

    limited = await till.redeem(code=code)

    assert {refused(answer) for answer in guesses} == {(404, "code_not_found")}
    assert refused(limited) == (429, "too_many_wrong_codes")
    every = settings.wrong_code_every_seconds
    assert 1 <= int(limited.headers["Retry-After"]) <= every
    # By id nothing can be guessed: the till goes on working.
    await till.redeemed(unit_id)
    alarms = (await till.vault.client.get("/v1/alarms?open=true")).json()["items"]
    assert [alarm["kind"] for alarm in alarms] == ["voucher_guessing"]
    assert alarms[0]["details"]["subject"].startswith("key:")


async def test_right_codes_take_nothing_off_the_allowance(till: Till, settings: Settings):
    units = await till.sold(settings.wrong_codes_burst + 5)
    codes = [await till.code_of(unit_id) for unit_id in units]

    answers = await asyncio.gather(*(till.redeem(code=code) for code in codes))

    assert {answer.status_code for answer in answers} == {201}


async def test_a_shop_is_limited_whichever_key_it_uses(
    till: Till, api: OpenClient, settings: Settings
):
    codes = unknown_codes()
    tills = []
    for _ in range(2):
        client = await api("redemptions:write")
        tills.append(Till(Vault(client, till.vault.merchant)))
    for number in range(settings.wrong_codes_burst):
        await tills[number % 2].redeem(code=codes[number], shop_id="shop-12")

    answers = [await each.redeem(code=codes[-1], shop_id="shop-12") for each in tills]
    other = await tills[0].redeem(code=codes[-1], shop_id="shop-13")

    assert {refused(answer)[0] for answer in answers} == {429}
    assert refused(other) == (404, "code_not_found")


async def test_a_wrong_check_symbol_is_answered_and_counted_like_an_unknown_code(
    till: Till, rows: Rows
):
    [code, *_] = unknown_codes()
    answers = [
        await till.redeem(code=each, own_code=own)
        for own in (False, True)
        for each in (code, wrong(code))
    ]

    shown = {
        tuple(sorted((k, v) for k, v in answer.json().items() if k != "request_id"))
        for answer in answers
    }
    assert len(shown) == 1
    [count] = await rows(
        "SELECT extract(epoch FROM free_at - clock_timestamp()) AS wait FROM wrong_code "
        "WHERE subject LIKE :merchant",
        merchant=f"%/{till.vault.merchant}",
    )
    assert 90 < count.wait <= 120


async def test_no_miss_is_answered_sooner_than_another(till: Till):
    [code, *_] = unknown_codes()
    for each, own in ((code, False), (wrong(code), True), ("?", True)):
        began = time.monotonic()
        await till.redeem(code=each, own_code=own)
        assert time.monotonic() - began >= MISS_SECONDS


async def test_an_own_code_is_found_however_it_is_typed_and_others_are_not_taken(till: Till):
    [unit_id] = await till.sold(prefix="VC")
    code = await till.code_of(unit_id)
    pool_id = await till.vault.stocked(1, prefix="bought")
    await till.vault.sold(pool_id)

    for typed in (code.lower(), code.replace("-", " "), code.replace("-", "").lower()):
        done = await till.redeemed(code=typed, own_code=True)
        await till.vault.client.post(f"/v1/redemptions/{done['id']}/rollback", json={"reason": "r"})
    assert refused(await till.redeem(code="bought-000001", own_code=True))[1] == "code_not_found"
    assert refused(await till.redeem(code="BOUGHT-000001"))[1] == "code_not_found"
    assert (await till.redeem(code="bought-000001")).status_code == 201


async def test_an_unsold_code_that_is_shown_raises_an_alarm(till: Till, rows: Rows):
    """Nobody but a thief or a very lucky guesser can have it."""
    await till.vault.stocked(1, prefix="LEAKED")
    [unit] = await rows(
        "SELECT unit_id FROM unit WHERE merchant_id = :merchant", merchant=till.vault.merchant
    )

    by_code = await till.redeem(code="LEAKED-000001", shop_id="s")
    by_id = await till.redeem(str(unit.unit_id))

    assert refused(by_code) == refused(by_id) == (409, "voucher_not_sold")
    alarms = (await till.vault.client.get("/v1/alarms?open=true")).json()["items"]
    assert [(alarm["kind"], alarm["object_id"], alarm["count"]) for alarm in alarms] == [
        ("unsold_code_shown", str(unit.unit_id), 1)
    ]
    counted = await rows(
        "SELECT subject FROM wrong_code WHERE subject LIKE :merchant",
        merchant=f"%/{till.vault.merchant}",
    )
    assert len(counted) == 2


@pytest.fixture
def guard(db: Database) -> CodeGuard:
    """Of three wrong codes at once, then one per second."""
    allowance = Allowance(3, timedelta(seconds=1))
    return CodeGuard(db, allowance, lambda merchant_id: Fingerprinter(b"f" * 32, merchant_id))


async def test_an_allowance_comes_back_one_by_one(guard: CodeGuard):
    asker = Asker(new_id(), "key:k", None)
    for _ in range(3):
        with pytest.raises(CodeNotFound):
            await guard.find(asker, "UNKNOWN", is_own=False)
    with pytest.raises(TooManyWrongCodes):
        await guard.find(asker, "UNKNOWN", is_own=False)

    await asyncio.sleep(1.05)

    with pytest.raises(CodeNotFound):
        await guard.find(asker, "UNKNOWN", is_own=False)
    with pytest.raises(TooManyWrongCodes):
        await guard.find(asker, "UNKNOWN", is_own=False)


async def test_those_who_come_all_at_once_pay_for_every_guess(guard: CodeGuard, rows: Rows):
    """Some may pass together before the first is counted; the wait grows by each of them."""
    asker = Asker(new_id(), "key:k", None)

    answers = await asyncio.gather(
        *(guard.find(asker, f"GUESS-{n}", is_own=False) for n in range(60)),
        return_exceptions=True,
    )

    misses = sum(isinstance(answer, CodeNotFound) for answer in answers)
    assert misses + sum(isinstance(answer, TooManyWrongCodes) for answer in answers) == 60
    [row] = await rows(
        "SELECT extract(epoch FROM free_at - clock_timestamp()) AS wait FROM wrong_code "
        "WHERE subject = :subject",
        subject=asker.subjects[0],
    )
    assert misses - 5 < row.wait <= misses


async def test_counts_that_limit_nobody_are_forgotten(db: Database, rows: Rows):
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO wrong_code VALUES ('old', clock_timestamp() - interval '1 s'), "
                "('new', clock_timestamp() + interval '1 h')"
            )
        )
        more = await RedemptionService().forget_wrong_codes(tx)

    found = await rows("SELECT subject FROM wrong_code WHERE subject IN ('old', 'new')")
    assert (more, [row.subject for row in found]) == (False, ["new"])
