"""Codes that came without a pool: seen, placed by a person, in the vault once, stranded never."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from fulfillment.settings import Settings
from kit.ids import new_id
from kit.service import Service, create_app
from lockstock.fulfillment.v1.purchase_events_pb2 import PurchaseStocked
from tests.fulfillment.arrivals.test_service import revealed
from tests.fulfillment.buying import buying, empty_pool, end_pauses, plan, rows, with_offer, work
from tests.fulfillment.conftest import a_client, dispatch, published
from tests.fulfillment.factories import OTHER_MERCHANT
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.top_ups import accept, an_account, an_offer, an_order, with_supplier
from tests.suppliers.code_shop import CodeShop, running_code_shop

CALLERS = 8


@pytest.fixture
async def shop() -> AsyncIterator[CodeShop]:
    async with running_code_shop() as shop:
        yield shop


@pytest.fixture
async def service(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    async with buying(settings, vault) as service:
        yield service


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    scopes = ("suppliers:read", "suppliers:write")
    async with a_client(service, create_app(service), *scopes) as client:
        yield client


@pytest.fixture
async def homeless(service: Service, shop: CodeShop) -> UUID:
    """A top-up whose supplier sent a code instead."""
    await with_supplier(service, None, "shop", connector="code_shop", url=shop.url)
    await accept(service, an_order(an_account(), an_offer("shop")))
    await dispatch(service)
    [arrival] = await rows(service, "arrival")
    assert arrival.pool_id is None
    return UUID(str(arrival.id))


async def place(http: httpx.AsyncClient, arrival_id: UUID, pool_id: UUID) -> httpx.Response:
    return await http.put(f"/v1/arrivals/{arrival_id}/pool", json={"pool_id": str(pool_id)})


async def test_codes_that_came_for_a_top_up_go_into_the_pool_that_a_person_names(
    service: Service, vault: RealVault, shop: CodeShop, http: httpx.AsyncClient, homeless: UUID
) -> None:
    pool = await empty_pool(vault)

    placed = await place(http, homeless, pool)
    await work(service, "carry-codes")

    assert placed.status_code == 200, placed.text
    assert placed.json()["pool_id"] == str(pool)
    read = (await http.get(f"/v1/arrivals/{homeless}")).json()
    assert (read["state"], read["accepted"], read["kind"]) == ("stored", 1, "code")
    assert read["placed_by"]
    [case] = await rows(service, "supplier_case")
    assert (case.kind, case.state) == ("codes_without_pool", "closed")
    assert str(pool) in case.resolution
    # What it cost is told with the line of the order.
    lot = await vault.get(f"/v1/lots/{homeless}")
    assert lot["unit_cost"]["amount"] == 0
    assert await revealed(vault, pool, 1) == list(shop.codes())


async def test_late_codes_of_a_top_up_come_into_stock_at_what_they_cost(
    service: Service, vault: RealVault, shop: CodeShop, http: httpx.AsyncClient, homeless: UUID
) -> None:
    pool = await empty_pool(vault)
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE arrival SET is_late = true"))

    await place(http, homeless, pool)
    await work(service, "carry-codes")

    lot = await vault.get(f"/v1/lots/{homeless}")
    assert lot["unit_cost"]["amount"] == shop.cost


async def test_what_the_line_has_told_the_cost_of_is_claimed_by_nobody_when_it_is_refused(
    service: Service, vault: RealVault, shop: CodeShop, http: httpx.AsyncClient, homeless: UUID
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool, "other")
    shop.made = 0  # sells the code of the top-up again
    await plan(service, pool, 1)
    await work(service, "buy-into-stock", "carry-codes")

    await place(http, homeless, pool)
    await work(service, "carry-codes")

    [told] = [
        it
        for it in await published(service)
        if isinstance(it, PurchaseStocked) and it.lot_id == str(homeless)
    ]
    assert (told.accepted, told.duplicates) == (0, 1)
    assert not told.HasField("refused_cost")
    cases = {case.kind: case for case in await rows(service, "supplier_case")}
    assert "claimed" not in cases["codes_refused"].details


async def test_those_that_wait_for_a_pool_can_be_listed(
    service: Service, vault: RealVault, shop: CodeShop, http: httpx.AsyncClient, homeless: UUID
) -> None:
    pool = await empty_pool(vault)
    async with service.db.transaction() as tx:
        await tx.execute(text("DELETE FROM supplier_sync"))
    await with_offer(service, shop, pool, "other")
    await plan(service, pool, 1)
    await work(service, "buy-into-stock")

    waiting = (await http.get("/v1/arrivals?without_pool=true")).json()["items"]
    others = (await http.get("/v1/arrivals?without_pool=false&state=sealed")).json()["items"]
    first = (await http.get("/v1/arrivals?limit=1")).json()
    second = (await http.get(f"/v1/arrivals?limit=1&cursor={first['next_cursor']}")).json()

    assert [it["id"] for it in waiting] == [str(homeless)]
    assert [it["pool_id"] for it in others] == [str(pool)]
    assert [it["id"] for it in (*first["items"], *second["items"])] == [
        others[0]["id"],
        str(homeless),
    ]
    assert "code" not in str(waiting).replace("'kind': 'code'", "")


async def test_a_pool_of_another_kind_is_refused_before_the_codes_are_lost_in_it(
    service: Service, vault: RealVault, http: httpx.AsyncClient, homeless: UUID
) -> None:
    cards = await empty_pool(vault, "card")

    refused = await place(http, homeless, cards)
    nowhere = await place(http, homeless, new_id())
    await work(service, "carry-codes")

    assert (refused.status_code, refused.json()["code"]) == (422, "pool_not_for_arrival")
    assert (refused.json()["needed"], refused.json()["pool_kind"]) == ("code", "card")
    assert (nowhere.status_code, nowhere.json()["code"]) == (422, "pool_unknown")
    [arrival] = await rows(service, "arrival")
    assert (arrival.state, arrival.pool_id) == ("sealed", None)
    assert len(await rows(service, "arrival_box")) == 1


async def test_nobody_places_what_is_another_merchants_or_without_the_scope(
    service: Service, vault: RealVault, homeless: UUID
) -> None:
    pool, app = await empty_pool(vault), create_app(service)
    async with (
        a_client(
            service, app, "suppliers:write", "suppliers:read", merchant_id=OTHER_MERCHANT
        ) as stranger,
        a_client(service, app, "suppliers:read") as reader,
    ):
        assert (await place(stranger, homeless, pool)).status_code == 404
        assert (await stranger.get(f"/v1/arrivals/{homeless}")).status_code == 404
        assert (await stranger.get("/v1/arrivals")).json()["items"] == []
        assert (await place(reader, homeless, pool)).status_code == 403


async def test_the_same_pool_again_is_harmless_and_another_one_comes_too_late(
    service: Service, vault: RealVault, http: httpx.AsyncClient, homeless: UUID
) -> None:
    pool, other = await empty_pool(vault), await empty_pool(vault)
    await place(http, homeless, pool)
    await work(service, "carry-codes")

    again, late = await place(http, homeless, pool), await place(http, homeless, other)

    assert (again.status_code, again.json()["state"]) == (200, "stored")
    assert (late.status_code, late.json()["code"]) == (409, "arrival_has_pool")
    assert (await vault.levels(other))["total"] == 0


async def test_of_many_who_name_pools_at_once_one_is_heard_and_the_codes_are_stored_once(
    service: Service, vault: RealVault, http: httpx.AsyncClient, homeless: UUID
) -> None:
    pools = [await empty_pool(vault) for _ in range(CALLERS)]

    answers = await asyncio.gather(*(place(http, homeless, pool) for pool in pools))
    await work(service, "carry-codes")

    assert sorted(it.status_code for it in answers) == [200] + [409] * (CALLERS - 1)
    [heard] = [pool for pool, it in zip(pools, answers, strict=True) if it.status_code == 200]
    totals = [(await vault.levels(pool))["total"] for pool in pools]
    assert totals == [int(pool == heard) for pool in pools]


async def test_codes_that_the_vault_refused_as_a_whole_can_be_given_another_pool(
    service: Service, vault: RealVault, http: httpx.AsyncClient, homeless: UUID
) -> None:
    gone, pool = new_id(), await empty_pool(vault)
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE arrival SET pool_id = :gone"), {"gone": gone})
    early = await place(http, homeless, pool)
    await work(service, "carry-codes")
    [refused] = await rows(service, "arrival")

    placed = await place(http, homeless, pool)
    await end_pauses(service)
    await work(service, "carry-codes")

    assert early.status_code == 409
    assert refused.refused_as != ""
    assert (placed.status_code, placed.json()["refused_as"]) == (200, "")
    assert (await vault.levels(pool))["total"] == 1
    states = {case.kind: case.state for case in await rows(service, "supplier_case")}
    assert set(states.values()) == {"closed"}, states


async def test_while_the_vault_is_silent_no_pool_can_be_named_and_nothing_is_lost(
    service: Service, vault: RealVault, http: httpx.AsyncClient, homeless: UUID
) -> None:
    pool = await empty_pool(vault)
    vault.line.is_cut = True
    silent = await place(http, homeless, pool)
    vault.line.mend()

    assert silent.status_code == 503
    assert (await place(http, homeless, pool)).status_code == 200


async def test_bad_bodies_are_refused(http: httpx.AsyncClient, homeless: UUID) -> None:
    bodies: list[Any] = [
        {},
        {"pool_id": "x"},
        {"pool_id": None},
        {"pool_id": str(new_id()), "a": 1},
    ]
    for body in bodies:
        answer = await http.put(f"/v1/arrivals/{homeless}/pool", json=body)
        assert answer.status_code == 422, body
