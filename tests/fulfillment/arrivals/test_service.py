"""Codes that are bought: sealed before they are written, in the vault once, in clear nowhere."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from fulfillment.arrivals.domain import RESEALS_MAX
from fulfillment.settings import Settings
from fulfillment.vault import Refused
from kit.service import Service
from lockstock.fulfillment.v1.purchase_events_pb2 import PurchaseMade, PurchaseStocked
from sealing import Box, BoxOpener, new_key_pair
from tests.fulfillment.buying import (
    buying,
    empty_pool,
    plan,
    rows,
    until,
    until_ended,
    with_offer,
    work,
)
from tests.fulfillment.conftest import published
from tests.fulfillment.real_vault import RealVault
from tests.suppliers.code_shop import CodeShop, running_code_shop


@pytest.fixture
async def shop() -> AsyncIterator[CodeShop]:
    async with running_code_shop() as shop:
        yield shop


@pytest.fixture
async def service(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    async with buying(settings, vault) as service:
        yield service


async def revealed(vault: RealVault, pool_id: UUID, number: int) -> list[str]:
    """Sells this many of the pool and opens them."""
    pair = new_key_pair()
    held = await vault.hold((pool_id, number))
    key = base64.b64encode(pair.public_key).decode()
    sold = await vault._post(f"/v1/reservations/{held}/claim", {"recipient_public_key": key})
    opener = BoxOpener(pair.private_key)
    codes = []
    for unit in sold["units"]:
        box = unit["box"]
        parts = (base64.b64decode(box[name]) for name in ("public_key", "nonce", "ciphertext"))
        _, inside = opener.open_received(Box(*parts))
        codes.append(inside.secret().disclose()["code"])
    return codes


async def test_bought_codes_can_be_sold_from_the_vault_and_are_what_the_supplier_gave(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)

    ended = await until_ended(service, await plan(service, pool, 3))

    assert (ended.state, ended.bought, ended.arrived) == ("arrived", 3, 3)
    assert ended.spent_minor == 3 * shop.cost
    assert sorted(await revealed(vault, pool, 3)) == sorted(shop.codes())
    assert await rows(service, "arrival_box") == []
    told = await published(service)
    [made] = [it for it in told if isinstance(it, PurchaseMade)]
    [stocked] = [it for it in told if isinstance(it, PurchaseStocked)]
    assert (made.quantity, made.cost.amount_minor, made.pool_id) == (3, 13_500, str(pool))
    assert (stocked.accepted, stocked.lot_id) == (3, made.lot_id)


async def test_what_the_lot_cost_is_shared_out_to_the_last_cent(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    shop.cost, shop.rebate = 4501, 2
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)

    await until_ended(service, await plan(service, pool, 4))

    [arrival] = await rows(service, "arrival")
    lot = await vault.get(f"/v1/lots/{arrival.id}")
    assert lot["total_cost"] == {"amount": 4 * 4501 - 2, "currency": "CNY"}
    assert lot["unit_cost"]["amount"] == (4 * 4501 - 2) // 4


async def test_codes_that_expire_first_are_at_the_head_of_their_lot(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    shop.expires_at = "2031-01-01T00:00:00+00:00"
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)

    ended = await until_ended(service, await plan(service, pool, 2))

    assert ended.state == "arrived"
    [arrival] = await rows(service, "arrival")
    assert (await vault.levels(pool))["available"] == 2
    lot = await vault.get(f"/v1/lots/{arrival.id}")
    assert lot["levels"]["total"] == 2


async def test_a_code_that_the_vault_has_already_is_refused_and_told_in_a_case(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    await until_ended(service, await plan(service, pool, 1))
    shop.made = 0  # sells again from the first one on

    ended = await until_ended(service, await plan(service, pool, 3))

    assert (ended.state, ended.arrived) == ("partly", 2)
    [case] = await rows(service, "supplier_case")
    assert (case.kind, case.details["refused"]) == ("codes_refused", 1)
    assert case.purchase_id in {it.id for it in await rows(service, "purchase")}


async def test_what_refused_codes_had_cost_and_what_the_lot_cost_are_the_purchase(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    await until_ended(service, await plan(service, pool, 1))
    # One of three is known already, and what they cost does not divide by three.
    shop.made, shop.cost, shop.rebate = 0, 4501, 1
    await until_ended(service, await plan(service, pool, 3))

    stocked = [it for it in await published(service) if isinstance(it, PurchaseStocked)]

    assert not stocked[0].HasField("refused_cost")
    assert (stocked[1].accepted, stocked[1].supplier) == (2, "shop")
    lot = await vault.get(f"/v1/lots/{stocked[1].lot_id}")
    refused = stocked[1].refused_cost
    assert lot["total_cost"]["amount"] + refused.amount_minor == 3 * 4501 - 1
    assert refused.currency == "CNY"
    [case] = await rows(service, "supplier_case")
    assert (case.amount_minor, case.details["claimed"]) == (refused.amount_minor, True)


async def test_a_delivery_that_is_refused_whole_had_cost_the_whole_purchase(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    await until_ended(service, await plan(service, pool, 2))
    shop.made = 0
    await until_ended(service, await plan(service, pool, 2))

    stocked = [it for it in await published(service) if isinstance(it, PurchaseStocked)]

    assert [(it.accepted, it.refused_cost.amount_minor) for it in stocked] == [
        (2, 0),
        (0, 2 * shop.cost),
    ]


@pytest.mark.parametrize(
    ("mode", "why"), [("twice", "same_code_twice"), ("short", "wrong_quantity")]
)
async def test_codes_that_cannot_be_what_was_bought_are_no_delivery(
    service: Service, vault: RealVault, shop: CodeShop, mode: str, why: str
) -> None:
    shop.mode = mode
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    procurement = await plan(service, pool, 3)

    async def is_unknown() -> bool:
        return [(it.state, it.reason) for it in await rows(service, "purchase")] == [
            ("unknown", why)
        ]

    await until(service, is_unknown)

    [row] = await rows(service, "procurement")
    assert (row.id, row.state, row.arrived) == (procurement.id, "unknown", 0)
    assert await rows(service, "arrival") == []
    assert (await vault.levels(pool))["total"] == 0


async def test_codes_of_another_kind_than_the_pool_holds_are_refused_and_told(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    shop.make = lambda n: {"number": f"{n:08}", "password": "x"}
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)

    ended = await until_ended(service, await plan(service, pool, 2))

    assert (ended.state, ended.arrived) == ("failed", 0)
    assert (await vault.levels(pool))["total"] == 0
    [case] = await rows(service, "supplier_case")
    assert case.details["reasons"] == {"wrong_fields": 2}


async def test_boxes_wait_here_while_the_vault_is_silent_and_are_stored_once_after_lost_answers(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    procurement = await plan(service, pool, 2)
    await work(service, "buy-into-stock")
    vault.line.is_cut = True
    await work(service, "carry-codes")
    assert len(await rows(service, "arrival_box")) == 2
    vault.line.mend()
    vault.line.lose_answer(1)  # the lot is stored, and nobody hears of it

    ended = await until_ended(service, procurement)

    assert (ended.state, ended.arrived) == ("arrived", 2)
    assert (await vault.levels(pool))["total"] == 2


async def test_a_lot_whose_answer_the_vault_has_forgotten_is_not_stored_again(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    procurement = await plan(service, pool, 2)
    await work(service, "buy-into-stock")
    vault.line.lose_answer(1)
    await work(service, "carry-codes")
    async with vault.service.db.transaction() as tx:
        await tx.execute(text("DELETE FROM idempotency"))

    ended = await until_ended(service, procurement)

    assert (ended.state, ended.arrived) == ("arrived", 2)
    assert (await vault.levels(pool))["total"] == 2


async def test_nothing_is_bought_while_nobody_knows_what_to_seal_to(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    procurement = await plan(service, pool, 2)
    vault.line.is_cut = True

    with pytest.raises(Exception, match="vault"):
        await work(service, "buy-into-stock")

    assert shop.posts == []
    vault.line.mend()
    await _end_leases(service)
    assert (await until_ended(service, procurement)).state == "arrived"


async def test_codes_for_a_key_that_is_no_more_are_asked_for_again_and_sealed_anew(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    procurement = await plan(service, pool, 2)
    await work(service, "buy-into-stock")
    async with service.db.transaction() as tx:
        # As if the boxes had waited until after the key's last hour.
        await tx.execute(text("UPDATE arrival SET state = 'resealing'"))
        await tx.execute(text("DELETE FROM arrival_box"))

    async def arrived() -> bool:
        await work(service, "ask-again")
        return (await vault.levels(pool))["total"] == 2

    await until(service, arrived)
    assert (await until_ended(service, procurement)).state == "arrived"
    assert len(shop.posts) == 1
    assert sorted(await revealed(vault, pool, 2)) == sorted(shop.codes())


async def test_a_worker_that_lost_its_turn_does_not_drop_the_boxes_of_its_successor(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    await plan(service, pool, 2)
    await work(service, "buy-into-stock")
    arrivals = service.state["arrivals"]
    async with service.db.transaction() as tx:
        [slow] = await arrivals.take(tx, 1)
        await tx.execute(text("UPDATE arrival SET due_at = clock_timestamp()"))
        [successor] = await arrivals.take(tx, 1)

    async with service.db.transaction() as tx:
        await arrivals.record(tx, slow, Refused("sealing_key_retired", 409))

    [arrival] = await rows(service, "arrival")
    assert (arrival.state, arrival.lease_id) == ("sealed", successor.lease_id)
    assert len(await rows(service, "arrival_box")) == 2
    async with service.db.transaction() as tx:
        await arrivals.record(tx, successor, Refused("sealing_key_retired", 409))
    [arrival] = await rows(service, "arrival")
    assert arrival.state == "resealing"


@pytest.mark.parametrize("why", ["cannot be asked", "is gone", "never says"])
async def test_codes_that_a_supplier_cannot_say_again_are_lost_and_a_case_says_so(
    service: Service,
    vault: RealVault,
    shop: CodeShop,
    monkeypatch: pytest.MonkeyPatch,
    why: str,
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    procurement = await plan(service, pool, 2)
    await work(service, "buy-into-stock")
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE arrival SET state = 'resealing'"))
        await tx.execute(text("DELETE FROM arrival_box"))
        if why == "never says":
            tries = {"tries": RESEALS_MAX}
            await tx.execute(text("UPDATE arrival SET tries = :tries"), tries)
    if why == "is gone":
        shop_gone = service.state["suppliers"]
        monkeypatch.setattr(shop_gone, "_connectors", {})
    if why == "cannot be asked":
        connector = service.state["suppliers"]._connectors["code_shop"]
        monkeypatch.setattr(connector, "terms", replace(connector.terms, query_by_ref=False))

    asked_before = list(shop.queries)
    await work(service, "ask-again")

    assert shop.queries == asked_before
    [arrival] = await rows(service, "arrival")
    assert arrival.state == "lost"
    assert arrival.ended_at is not None
    [case] = await rows(service, "supplier_case")
    assert (case.kind, case.details["wanted"]) == ("codes_lost", 2)
    [told] = [it for it in await published(service) if isinstance(it, PurchaseStocked)]
    assert (told.accepted, told.refused_cost.amount_minor) == (0, 2 * shop.cost)
    assert (case.amount_minor, case.details["claimed"]) == (2 * shop.cost, True)
    ended = await until_ended(service, procurement)
    assert (ended.state, ended.arrived) == ("failed", 0)


async def test_no_code_is_anywhere_but_in_boxes(
    service: Service,
    vault: RealVault,
    shop: CodeShop,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    procurement = await plan(service, pool, 5)
    await work(service, "buy-into-stock")
    shop.mode = "silent"
    second = await plan(service, pool, 2)
    await work(service, "buy-into-stock")
    in_between = await dump_of(settings)
    assert len(await rows(service, "arrival_box")) >= 5
    shop.mode = "ok"

    await until_ended(service, procurement)
    await until_ended(service, second)

    codes = shop.codes()
    assert len(codes) == 7
    written = in_between + await dump_of(settings) + caplog.text + "".join(capfd.readouterr())
    for code in codes:
        for form in (code, code.encode().hex(), base64.b64encode(code.encode()).decode()):
            assert form not in written
    told = "".join(str(event) for event in await published(service))
    assert not any(code in told for code in codes)


async def dump_of(settings: Settings) -> str:
    """Every row of every table, and what the write-ahead log of this database says in clear."""
    url = settings.database_url.get_secret_value().replace("postgresql+asyncpg://", "postgresql://")
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        parts: list[Any] = []
        for table in tables:
            name = table["tablename"]
            found = await connection.fetch(f'SELECT to_jsonb(t) AS row FROM "{name}" t')  # noqa: S608
            parts.extend(row["row"] for row in found)
        return json.dumps(parts)
    finally:
        await connection.close()


async def _end_leases(service: Service) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE procurement SET lease_id = NULL"))
