"""kill -9 of the API amid redemptions: each reference took effect once, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from inventory_vault.settings import Settings
from kit.ids import new_id
from kit.service import service_tokens
from tests.inventory_vault.factories import Vault
from tests.inventory_vault.test_crash import Api
from tests.inventory_vault.tills import FACE_VALUE, Till, money

Rows = Callable[..., Awaitable[list[Any]]]
Call = Callable[[], Awaitable[httpx.Response]]

VOUCHERS = 12
TILLS = 16
REDEMPTIONS_BEFORE_THE_KILL = 80
REDEMPTIONS_EACH = 24


@dataclass
class History:
    """What the tills were told: reference -> (voucher, amount), and which were given back."""

    redeemed: dict[str, tuple[str, int]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    rolled_back: set[str] = field(default_factory=set)
    lost_calls: int = 0
    is_under_way: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
async def api_process(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("INVENTORY_VAULT_FINGERPRINT_KEY", "f" * 32)
    process = Api(settings)
    await process.start()
    yield process
    await process.kill()


@pytest.mark.timeout(120)
async def test_what_was_redeemed_before_the_kill_is_so_after_it_and_nothing_is_twice(
    api_process: Api, till: Till, settings: Settings, merchant: UUID, rows: Rows
):
    pool_id, _ = await till.stocked(VOUCHERS)
    units = [unit["unit_id"] for unit in await till.vault.sold(pool_id, VOUCHERS)]
    codes = {unit_id: await till.code_of(unit_id) for unit_id in units}
    token = service_tokens(settings).issue("tests")
    headers = {"Authorization": f"Bearer {token}", "Lockstock-Merchant": str(merchant)}
    history = History()
    async with httpx.AsyncClient(base_url=api_process.url, headers=headers, timeout=20) as client:
        there = Till(Vault(client, merchant))
        tills = [
            asyncio.create_task(_work(there, number, codes, history)) for number in range(TILLS)
        ]
        await asyncio.wait_for(history.is_under_way.wait(), 60)
        await api_process.kill()
        await api_process.start()
        await asyncio.wait_for(asyncio.gather(*tills), 60)

    assert history.lost_calls > 0, "the kill came between the calls"
    found = {
        row.merchant_reference: row
        for row in await rows(
            "SELECT r.*, b.redemption_id IS NOT NULL AS is_back FROM redemption r LEFT JOIN "
            "redemption_rollback b ON b.redemption_id = r.id WHERE r.merchant_id = :merchant",
            merchant=merchant,
        )
    }
    assert {ref: (str(row.unit_id), row.amount) for ref, row in found.items()} == (history.redeemed)
    assert not history.refused & set(found)
    assert {ref for ref, row in found.items() if row.is_back} == history.rolled_back
    for unit_id in units:
        spent = sum(
            row.amount for row in found.values() if str(row.unit_id) == unit_id and not row.is_back
        )
        assert await till.left(unit_id) == FACE_VALUE - spent
    assert await till.vault.conserved(pool_id)


async def _work(till: Till, number: int, codes: dict[str, str], history: History) -> None:
    """Redeems parts of the vouchers in turn, and gives every third back."""
    units = list(codes)
    for turn in range(REDEMPTIONS_EACH):
        unit_id = units[(number + turn) % len(units)]
        reference, amount = str(new_id()), 1 + turn % 5

        async def redeem(
            unit_id: str = unit_id, reference: str = reference, amount: int = amount
        ) -> httpx.Response:
            return await till.redeem(
                code=codes[unit_id], merchant_reference=reference, amount=money(amount)
            )

        done = await _sure(redeem, history)
        if done.status_code != 201:
            assert done.json()["code"] in ("balance_too_low", "voucher_used_up"), done.text
            history.refused.add(reference)
            continue
        history.redeemed[reference] = (unit_id, amount)
        if len(history.redeemed) >= REDEMPTIONS_BEFORE_THE_KILL:
            history.is_under_way.set()
        if turn % 3 == 0:
            id_ = done.json()["id"]
            back = await _sure(lambda id_=id_: till.roll_back(id_), history)  # type: ignore[misc]
            assert back.status_code == 200
            history.rolled_back.add(reference)


async def _sure(call: Call, history: History) -> httpx.Response:
    """A call without an answer is made again, by the same reference."""
    while True:
        try:
            answer = await call()
        except httpx.HTTPError:
            history.lost_calls += 1
            await asyncio.sleep(0.05)
            continue
        if answer.status_code != 503:
            return answer
