"""What was given up and comes after all: codes go into stock, a top-up becomes a case."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from fulfillment.connector import Told, Unknown
from fulfillment.settings import Settings
from kit.service import Service
from lockstock.fulfillment.v1.purchase_events_pb2 import CaseOpened, PurchaseMade
from tests.fulfillment.buying import (
    SKU,
    buying,
    empty_pool,
    found,
    plan,
    rows,
    until,
    until_ended,
    with_offer,
    work,
)
from tests.fulfillment.conftest import dispatch, end_pauses, published
from tests.fulfillment.factories import MERCHANT
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.top_ups import accept, an_account, an_offer, an_order, with_supplier
from tests.suppliers.code_shop import CodeShop, running_code_shop


@pytest.fixture
async def shop() -> AsyncIterator[CodeShop]:
    async with running_code_shop() as shop:
        yield shop


@pytest.fixture
async def service(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    async with buying(settings, vault) as service:
        yield service


async def ask_again(service: Service) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(
            text("UPDATE purchase SET recheck_at = clock_timestamp() WHERE recheck_at IS NOT NULL")
        )
    await work(service, "ask-again")


async def give_up(service: Service) -> None:
    """Nobody knows for long; a person says that nothing was bought."""
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE supplier SET unknown_ttl_seconds = 0"))

    async def waits_for_a_person() -> bool:
        await end_pauses(service)
        await dispatch(service)
        return bool(await rows(service, "manual_task"))

    await until(service, waits_for_a_person)
    [task] = await rows(service, "manual_task")
    async with service.db.transaction() as tx:
        await service.state["manual_tasks"].fail(tx, MERCHANT, task.id, "ann", reason="no answer")


async def test_codes_that_come_after_a_person_gave_them_up_go_into_the_pool_as_a_late_lot(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    shop.mode = "silent"
    procurement = await plan(service, pool, 2)

    async def is_unknown() -> bool:
        shop.mode = "mute" if shop.sold else "silent"
        return (await found(service, procurement)).state == "unknown"

    await until(service, is_unknown)
    await give_up(service)
    ended = await until_ended(service, procurement)
    assert (ended.state, ended.reason) == ("failed", "refused_by_hand")
    assert (await vault.levels(pool))["total"] == 0
    shop.mode = "ok"

    await ask_again(service)
    await work(service)

    assert (await vault.levels(pool))["available"] == 2
    [arrival] = await rows(service, "arrival")
    assert (await vault.get(f"/v1/lots/{arrival.id}"))["note"].endswith(", late")
    [made] = [it for it in await published(service) if isinstance(it, PurchaseMade)]
    assert made.is_late
    await ask_again(service)
    assert (await vault.levels(pool))["total"] == 2


async def test_a_top_up_that_was_given_up_and_is_done_after_all_is_a_case(
    service: Service, shop: CodeShop
) -> None:
    await with_supplier(service, None, "shop", connector="code_shop", url=shop.url)
    order = an_order(an_account(), an_offer("shop"))
    shop.mode = "silent"
    await accept(service, order)
    await dispatch(service)
    shop.mode = "mute"
    await give_up(service)
    await end_pauses(service)
    await dispatch(service)
    [purchase] = await rows(service, "purchase")
    assert (purchase.state, purchase.reason) == ("failed", "refused_by_hand")
    shop.sold[str(purchase.id)].codes.clear()
    shop.mode = "ok"

    await ask_again(service)
    await ask_again(service)

    [case] = await rows(service, "supplier_case")
    assert (case.kind, str(case.order_id)) == ("late_success", order.key)
    assert (case.amount_minor, case.details["given_up_as"]) == (shop.cost, "refused_by_hand")
    told: list[Any] = [it for it in await published(service) if isinstance(it, CaseOpened)]
    assert [(it.kind, it.amount.amount_minor) for it in told] == [("late_success", shop.cost)]


async def test_codes_of_a_top_up_are_kept_sealed_and_a_case_asks_where_they_belong(
    service: Service, shop: CodeShop
) -> None:
    await with_supplier(service, None, "shop", connector="code_shop", url=shop.url)
    await accept(service, an_order(an_account(), an_offer("shop")))
    await dispatch(service)

    [arrival] = await rows(service, "arrival")
    assert (arrival.state, arrival.pool_id) == ("sealed", None)
    assert len(await rows(service, "arrival_box")) == 1
    [case] = await rows(service, "supplier_case")
    assert case.kind == "codes_without_pool"


async def test_what_the_supplier_itself_refused_is_not_asked_for_again(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    shop.mode = "sold_out"
    await until_ended(service, await plan(service, pool, 1))

    [purchase] = await rows(service, "purchase")
    await ask_again(service)

    assert (purchase.supplier_sku, purchase.recheck_at, shop.queries) == (SKU, None, [])


async def test_a_word_on_given_up_codes_of_a_supplier_that_cannot_be_asked_is_a_case(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    shop.mode = "late"
    await until_ended(service, await plan(service, pool, 2))
    [purchase] = await rows(service, "purchase")

    for _ in range(2):
        async with service.db.transaction() as tx:
            told = Told(purchase.id, Unknown("in_progress"), b"ok", is_success=True)
            await service.state["purchases"].hear(tx, told, can_be_asked=False)

    [case] = await rows(service, "supplier_case")
    assert (case.kind, case.purchase_id) == ("late_success", purchase.id)
    [after] = await rows(service, "purchase")
    assert (after.state, after.recheck_at) == ("failed", None)
    assert after.late_success_at is not None


async def test_a_suppliers_own_word_on_given_up_codes_has_it_asked_and_the_codes_stored(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    shop.mode = "late"  # it says no, and sells
    ended = await until_ended(service, await plan(service, pool, 2))
    assert (ended.state, ended.reason) == ("failed", "refused")
    [purchase] = await rows(service, "purchase")
    shop.mode = "ok"

    async with service.db.transaction() as tx:
        told = Told(purchase.id, Unknown("in_progress"), b"ok", is_success=True)
        await service.state["purchases"].hear(tx, told, can_be_asked=True)
    await ask_again(service)
    await work(service)

    assert (await vault.levels(pool))["available"] == 2
    [made] = [it for it in await published(service) if isinstance(it, PurchaseMade)]
    assert made.is_late
