"""What suppliers' lists do to offers, and what a broken list does not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from fulfillment.settings import Settings
from fulfillment.supplier_products.domain import SupplierProduct
from kit.ids import new_id
from kit.money import Money
from kit.service import Service
from lockstock.fulfillment.v1.purchase_events_pb2 import CaseOpened, OfferPaused, OfferResumed
from tests.fulfillment.buying import SKU, buying, rows, with_offer, work
from tests.fulfillment.conftest import published
from tests.fulfillment.factories import MERCHANT, POOL
from tests.fulfillment.real_vault import RealVault
from tests.suppliers.code_shop import CodeShop, Listed, running_code_shop


@pytest.fixture
async def shop() -> AsyncIterator[CodeShop]:
    async with running_code_shop(listed=[Listed(SKU, 4500, 30)]) as shop:
        yield shop


@pytest.fixture
async def service(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    async with buying(settings, vault) as service:
        yield service


async def look(service: Service) -> None:
    """Looks at every account now."""
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE supplier_sync SET due_at = clock_timestamp()"))
    await work(service, "look-at-suppliers")


async def offer_of(service: Service, supplier_sku: str = SKU) -> Any:
    [found] = [
        it for it in await rows(service, "supplier_product") if it.supplier_sku == supplier_sku
    ]
    return found


async def with_many(service: Service, shop: CodeShop, number: int) -> None:
    """So many more offers, all of them listed."""
    for at in range(number):
        shop.listed.append(Listed(f"A-{at}", 4000 + at, 5))
        offer = SupplierProduct(new_id(), MERCHANT, "shop", f"A-{at}", "CNY", 9000, sku=f"S-{at}")
        async with service.db.transaction() as tx:
            await service.state["supplier_products"].create(tx, offer)


async def test_cost_stock_and_balance_are_taken_over_page_by_page(
    service: Service, shop: CodeShop
) -> None:
    await with_offer(service, shop, POOL, fee_minor=10, fee_basis_points=100)
    shop.listed = [Listed(f"X-{n}", 1) for n in range(25)] + shop.listed
    shop.page_size = 10

    await look(service)

    offer = await offer_of(service)
    assert (offer.cost_minor, offer.stock, offer.paused_reason) == (4500, 30, "")
    assert offer.seen_at is not None
    [sync] = await rows(service, "supplier_sync")
    assert (sync.balance_minor, sync.articles, sync.reason) == (10_000_000, 1, "")


@pytest.mark.parametrize("told", [2**31 - 1, 2**31, 10**12])
async def test_a_stock_without_end_does_not_keep_prices_from_being_taken_over(
    service: Service, shop: CodeShop, told: int
) -> None:
    await with_offer(service, shop, POOL, cost_max_minor=4600)
    shop.listed[0].stock, shop.listed[0].cost = told, 4700

    await look(service)

    offer = await offer_of(service)
    assert (offer.stock, offer.paused_reason) == (2**31 - 1, "cost_above_ceiling")


async def test_an_offer_above_its_ceiling_is_paused_and_goes_on_when_the_price_falls(
    service: Service, shop: CodeShop
) -> None:
    await with_offer(service, shop, POOL, cost_max_minor=4600, fee_minor=50)
    shop.listed[0].cost = 4551
    await look(service)
    assert (await offer_of(service)).paused_reason == "cost_above_ceiling"
    await look(service)

    shop.listed[0].cost = 4550
    await look(service)

    assert (await offer_of(service)).paused_reason == ""
    told = [it for it in await published(service) if isinstance(it, OfferPaused | OfferResumed)]
    assert [type(it) for it in told] == [OfferPaused, OfferResumed]
    assert told[0].landed.amount_minor == 4601


async def test_a_price_that_moves_too_far_at_once_is_held_until_it_is_accepted(
    service: Service, shop: CodeShop
) -> None:
    made = await with_offer(service, shop, POOL, drift_max_basis_points=1_000)
    await look(service)
    for cost, reason in ((4950 - 100, ""), (4365, ""), (3928, "cost_drifted")):
        shop.listed[0].cost = cost
        await look(service)
        assert (await offer_of(service)).paused_reason == reason, cost

    async with service.db.transaction() as tx:
        changed = await service.state["supplier_products"].change(
            tx, MERCHANT, made.id, {}, accept_cost=True
        )

    assert (changed.paused_reason, changed.cost_accepted_minor) == ("", 3928)


async def test_an_article_that_is_no_longer_listed_is_not_bought(
    service: Service, shop: CodeShop
) -> None:
    await with_offer(service, shop, POOL)
    await with_many(service, shop, 3)
    await look(service)
    gone = shop.listed.pop(0)

    await look(service)
    assert (await offer_of(service)).paused_reason == "not_listed"

    shop.listed.append(gone)
    await look(service)
    assert (await offer_of(service)).paused_reason == ""


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("empty", "list_empty"),
        ("html", "bad_answer"),
        ("endless", "list_without_end"),
        ("half", "bad_answer"),
        ("all_sold_out", "list_all_sold_out"),
    ],
)
async def test_a_broken_list_changes_nothing_and_is_told_once(
    service: Service, shop: CodeShop, mode: str, reason: str
) -> None:
    await with_offer(service, shop, POOL)
    await with_many(service, shop, 3)
    shop.page_size = 2
    await look(service)
    before = await rows(service, "supplier_product")
    shop.list_mode = mode

    await look(service)
    await look(service)

    assert await rows(service, "supplier_product") == before
    [case] = await rows(service, "supplier_case")
    assert (case.kind, case.state, case.details["reason"]) == ("list_not_believed", "open", reason)
    assert len([it for it in await published(service) if isinstance(it, CaseOpened)]) == 1

    shop.list_mode = "ok"
    await look(service)
    [case] = await rows(service, "supplier_case")
    assert case.state == "closed"


async def test_a_list_with_less_than_half_of_our_articles_is_not_believed(
    service: Service, shop: CodeShop
) -> None:
    await with_offer(service, shop, POOL)
    await with_many(service, shop, 7)
    await look(service)
    whole, shop.listed = shop.listed, shop.listed[:3]
    await look(service)
    assert {it.paused_reason for it in await rows(service, "supplier_product")} == {""}

    shop.listed = whole[:4]
    await look(service)

    paused = [it.paused_reason for it in await rows(service, "supplier_product")]
    assert sorted(paused) == [""] * 4 + ["not_listed"] * 4


async def test_a_price_in_another_currency_pauses_the_offer(
    service: Service, shop: CodeShop
) -> None:
    await with_offer(service, shop, POOL)
    shop.listed[0].currency = "USD"

    await look(service)

    assert (await offer_of(service)).paused_reason == "other_currency"


async def test_the_router_sees_what_the_lists_said(service: Service, shop: CodeShop) -> None:
    made = await with_offer(service, shop, POOL, fee_minor=10, fee_basis_points=100)
    shop.balance = 123
    await look(service)

    async with service.db.read() as tx:
        [(product, candidate)] = await service.state["supplier_products"].find_for_pool(
            tx, MERCHANT, POOL
        )

    assert product.id == made.id
    assert candidate.landed == Money(4500 + 45 + 10, "CNY")
    assert (candidate.stock, candidate.balance) == (30, Money(123, "CNY"))
    # What the supplier may take, so that with fees the ceiling of 4900 is kept.
    assert candidate.cost_max == Money(4841, "CNY")
