"""Races as races: many callers at once, on two processes' worth of services over one database."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from inventory_vault.app import create_service
from inventory_vault.settings import Settings
from kit.service import Service, create_app, service_tokens
from tests.inventory_vault.factories import Recipient, Vault


@pytest.fixture
async def twins(settings: Settings, vault: Vault, service: Service) -> AsyncIterator[list[Vault]]:
    """The same vault behind two services, as two replicas would be."""
    second = create_service(settings)
    token = service_tokens(settings).issue("tests")
    headers = {"Authorization": f"Bearer {token}", "Lockstock-Merchant": str(vault.merchant)}
    clients = [
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=create_app(one)),
            base_url="http://vault",
            headers=headers,
            timeout=60,
        )
        for one in (service, second)
    ]
    yield [Vault(client, vault.merchant) for client in clients]
    for client in clients:
        await client.aclose()
    for close in second.closing:
        await close()
    await second.db.close()


async def test_64_callers_and_100_units_make_exactly_100_holds(twins: list[Vault], vault: Vault):
    pool_id = await vault.stocked(100)
    answers: list[httpx.Response] = []

    async def buyer(number: int) -> None:
        for _ in range(3):
            answers.append(await twins[number % 2].reserve(pool_id))

    await asyncio.gather(*(buyer(number) for number in range(64)))

    outcomes = Counter(answer.status_code for answer in answers)
    assert outcomes == {201: 100, 409: 92}
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"out_of_stock"}
    held = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    claims = await asyncio.gather(*(twins[n % 2].claim(id_) for n, id_ in enumerate(held)))
    units = [unit["unit_id"] for claim in claims for unit in claim.json()["units"]]
    assert len(units) == len(set(units)) == 100
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["sold"], levels["total"]) == (0, 100, 100)
    assert await vault.conserved(pool_id)


async def test_nobody_is_refused_while_units_are_only_locked(twins: list[Vault], vault: Vault):
    pool_id = await vault.stocked(64 * 5)
    wishes = [twins[n % 2].reserve(pool_id, 5) for n in range(64)]
    answers = await asyncio.gather(*wishes)
    assert {answer.status_code for answer in answers} == {201}
    assert (await vault.levels(pool_id))["available"] == 0


async def test_the_order_of_lines_makes_no_deadlock(twins: list[Vault], vault: Vault):
    pools = [await vault.stocked(200, prefix=f"P{n}") for n in range(4)]

    async def buyer(number: int) -> httpx.Response:
        order = random.Random(number).sample(pools, 4)
        lines = [{"pool_id": pool_id, "quantity": 2} for pool_id in order]
        body = {"reference": f"mixed-{number}", "lines": lines}
        return await twins[number % 2].client.post("/v1/reservations", json=body)

    answers = await asyncio.gather(*(buyer(number) for number in range(100)))

    assert {answer.status_code for answer in answers} == {201}
    for pool_id in pools:
        assert (await vault.levels(pool_id))["reserved"] == 200


async def test_one_reference_raced_makes_one_hold(twins: list[Vault], vault: Vault):
    pool_id = await vault.stocked(50)
    wishes = [twins[n % 2].reserve(pool_id, 2, reference="one") for n in range(20)]
    answers = await asyncio.gather(*wishes)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await vault.levels(pool_id))["reserved"] == 2


async def test_one_reference_raced_for_different_pools_makes_one_hold(
    twins: list[Vault], vault: Vault
):
    pools = [await vault.stocked(50, prefix=f"P{n}") for n in range(2)]
    wishes = [twins[n % 2].reserve(pools[n % 2], 1, reference="either") for n in range(20)]
    answers = await asyncio.gather(*wishes)
    assert Counter(answer.status_code for answer in answers) == {201: 10, 422: 10}
    reserved = [(await vault.levels(pool_id))["reserved"] for pool_id in pools]
    assert sorted(reserved) == [0, 1]


async def test_claim_release_and_expiry_raced_have_one_winner(
    twins: list[Vault], vault: Vault, service: Service, rows
):
    pool_id = await vault.stocked(60)
    held = [await vault.held(pool_id, 2, hold_seconds=10) for _ in range(30)]
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE reservation SET expires_at = now() - interval '1 second'"))
    sweep = next(job for job in service.jobs if job.name == "expire-reservations")

    async def settle(number: int, reservation_id: str) -> None:
        acts = [
            twins[0].claim(reservation_id),
            twins[1].claim(reservation_id, Recipient()),
            twins[1].release(reservation_id),
            sweep._run(),
        ]
        random.Random(number).shuffle(acts)
        await asyncio.gather(*acts)

    await asyncio.gather(*(settle(n, id_) for n, id_ in enumerate(held)))

    statuses = await rows(
        "SELECT status, count(*) AS n FROM reservation WHERE merchant_id = :m GROUP BY status",
        m=vault.merchant,
    )
    by_status = {row.status: row.n for row in statuses}
    assert sum(by_status.values()) == 30
    assert set(by_status) <= {"sold", "released", "expired"}
    levels = await vault.levels(pool_id)
    assert levels["sold"] == 2 * by_status.get("sold", 0)
    assert levels["available"] == 60 - levels["sold"]
    assert await vault.conserved(pool_id)


async def test_a_claim_raced_with_itself_sells_once(twins: list[Vault], vault: Vault, rows):
    pool_id = await vault.stocked(10)
    reservation_id = await vault.held(pool_id, 3)
    claims = await asyncio.gather(*(twins[n % 2].claim(reservation_id) for n in range(20)))
    assert {claim.status_code for claim in claims} == {200}
    assert len({str(claim.json()["units"]) for claim in claims}) == 1
    [row] = await rows(
        "SELECT count(*) AS n FROM unit_sale WHERE merchant_id = :m", m=vault.merchant
    )
    assert row.n == 3
