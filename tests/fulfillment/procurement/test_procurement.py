"""Buying into stock: by a click, by a rule, within a budget, whatever the supplier does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fulfillment.procurement.domain import BudgetSpent, NoOffer, RuleBusy
from fulfillment.procurement_rules.domain import Rule, Stand, is_low, wanted_by
from fulfillment.settings import Settings
from kit.errors import Conflict
from kit.ids import new_id
from kit.messaging.events import Event, topic_of, type_of
from kit.service import Service
from lockstock.fulfillment.v1.purchase_events_pb2 import ProcurementEnded, ProcurementProposed
from lockstock.inventory_vault.v1.stock_events_pb2 import StockLow
from tests.fulfillment.buying import (
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
from tests.fulfillment.conftest import published
from tests.fulfillment.factories import MERCHANT
from tests.fulfillment.real_vault import RealVault
from tests.suppliers.code_shop import CodeShop, running_code_shop

CALLERS = 16


@pytest.fixture
async def shop() -> AsyncIterator[CodeShop]:
    async with running_code_shop() as shop:
        yield shop


@pytest.fixture
async def other() -> AsyncIterator[CodeShop]:
    async with running_code_shop(cost=4600) as shop:
        yield shop


@pytest.fixture
async def service(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    async with buying(settings, vault) as service:
        yield service


def a_rule(pool_id: UUID, **given: Any) -> Rule:
    values = {
        "currency": "CNY",
        "target_cover_days": 10.0,
        "quantity_min": 2,
        "quantity_max": 50,
        "reorder_point": 5,
        **given,
    }
    return Rule(new_id(), MERCHANT, pool_id, **values)


async def with_rule(service: Service, pool_id: UUID, **given: Any) -> Rule:
    async with service.db.transaction() as tx:
        made: Rule = await service.state["procurement_rules"].create(tx, a_rule(pool_id, **given))
        return made


async def test_the_next_offer_is_bought_after_a_definite_no(
    service: Service, vault: RealVault, shop: CodeShop, other: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    await with_offer(service, other, pool, "other", priority=-1)
    shop.mode = "sold_out"

    ended = await until_ended(service, await plan(service, pool, 3))

    assert (ended.state, ended.spent_minor) == ("arrived", 3 * other.cost)
    assert [it.state for it in await rows(service, "purchase")] == ["failed", "done"]
    assert [len(shop.sold), len(other.sold)] == [0, 1]


async def test_an_unknown_outcome_is_asked_for_and_nobody_else_is_tried(
    service: Service, vault: RealVault, shop: CodeShop, other: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    await with_offer(service, other, pool, "other", priority=-1)
    shop.mode = "silent"
    procurement = await plan(service, pool, 2)

    async def is_unknown() -> bool:
        return (await found(service, procurement)).state == "unknown"

    await until(service, is_unknown)
    assert other.posts == []
    shop.mode = "ok"

    ended = await until_ended(service, procurement)

    assert (ended.state, ended.arrived) == ("arrived", 2)
    assert (len(shop.posts), other.posts, len(shop.codes())) == (1, [], 2)


async def test_it_is_bought_in_parts_when_an_offer_has_a_limit(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool, quantity_max=3)

    ended = await until_ended(service, await plan(service, pool, 8))

    assert (ended.state, ended.arrived, ended.spent_minor) == ("arrived", 8, 8 * shop.cost)
    assert sorted(len(sale.codes) for sale in shop.sold.values()) == [2, 3, 3]


async def test_no_more_is_spent_than_the_budget_is_enough_for(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool, cost_max_minor=4500)

    ended = await until_ended(service, await plan(service, pool, 10, budget=3 * 4500 + 4499))

    assert (ended.state, ended.arrived, ended.spent_minor) == ("partly", 3, 3 * 4500)
    assert ended.reason == "no_offer"


async def test_what_nobody_sells_ends_as_failed_with_the_last_reason(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    shop.mode = "refuse"

    ended = await until_ended(service, await plan(service, pool, 2))

    assert (ended.state, ended.reason, ended.spent_minor) == ("failed", "refused", 0)
    [told] = [it for it in await published(service) if isinstance(it, ProcurementEnded)]
    assert (told.state, told.reason) == ("failed", "refused")


async def test_without_an_offer_nothing_is_planned_and_the_answer_says_why(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool, is_active=False)

    with pytest.raises(NoOffer) as refused:
        await plan(service, pool, 2)

    assert [it["why_not"] for it in refused.value.fields["offers"]] == ["not_active"]
    assert await rows(service, "procurement") == []


async def test_sixteen_callers_at_once_spend_the_days_budget_exactly(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool, cost_max_minor=4500)
    await with_rule(service, pool, budget_per_day_minor=5 * 4500 + 10, reorder_point=0)

    async def one() -> str:
        try:
            return (await plan(service, pool, 1)).state.value
        except BudgetSpent:
            return "spent"

    states = await asyncio.gather(*(one() for _ in range(CALLERS)))

    assert sorted(states) == ["planned"] * 5 + ["spent"] * (CALLERS - 5)
    [budget] = await rows(service, "pool_budget")
    assert budget.reserved_minor == 5 * 4500

    async def all_ended() -> bool:
        return all(it.ended_at is not None for it in await rows(service, "procurement"))

    await until(service, all_ended)
    assert sum(sale.cost for sale in shop.sold.values()) == 5 * 4500


async def test_what_was_not_spent_goes_back_to_the_days_budget(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool, cost_max_minor=5000)
    await with_rule(service, pool, budget_per_day_minor=10_000, reorder_point=0)

    await until_ended(service, await plan(service, pool, 2))

    [budget] = await rows(service, "pool_budget")
    assert budget.reserved_minor == 2 * shop.cost


async def test_a_rule_has_one_open_procurement_however_many_look_at_once(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    rule = await with_rule(service, pool)

    async def one() -> str:
        async with service.db.transaction() as tx:
            made: str = await service.state["procurements"].plan_by(tx, rule, Stand(0, None, None))
            return made

    answers = await asyncio.gather(*(one() for _ in range(CALLERS)))

    assert sorted(answers) == [""] + [RuleBusy.code] * (CALLERS - 1)
    assert len(await rows(service, "procurement")) == 1


async def test_an_event_of_the_vault_has_the_pool_bought_for(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    rule = await with_rule(service, pool, quantity_min=4)
    await work(service, "watch-pools")
    async with service.db.transaction() as tx:
        await tx.execute(text("DELETE FROM procurement"))
    await work(service, "watch-pools")  # not due yet
    assert await rows(service, "procurement") == []

    await tell_low(service, pool)
    await work(service, "watch-pools")

    [procurement] = await rows(service, "procurement")
    assert (procurement.rule_id, procurement.quantity, procurement.requested_by) == (
        rule.id,
        4,
        "rule",
    )
    assert procurement.explanation["available"] == 0


async def tell_low(service: Service, pool: UUID) -> None:
    handler = next(it for it in service.handlers if it.message_class is StockLow)
    message = StockLow(pool_id=str(pool), merchant_id=str(MERCHANT), available=1, threshold=5)
    event = Event(
        id=new_id(),
        type=type_of(StockLow),
        topic=topic_of(StockLow),
        key=str(pool),
        version=1,
        time=datetime.now(UTC),
        merchant_id=str(MERCHANT),
        traceparent=None,
        request_id=None,
        message=message,
    )
    async with service.db.transaction() as tx:
        await handler.fn(tx, [event])


async def test_what_costs_more_than_a_rule_may_decide_waits_for_a_person(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    rule = await with_rule(service, pool, approval_above_minor=1, budget_per_day_minor=10**9)
    procurements = service.state["procurements"]
    async with service.db.transaction() as tx:
        assert await procurements.plan_by(tx, rule, Stand(0, None, None)) == ""
    [row] = await rows(service, "procurement")
    await work(service)
    assert (row.state, shop.posts) == ("awaiting_approval", [])
    assert [type(it) for it in await published(service)] == [ProcurementProposed]

    async with service.db.transaction() as tx:
        approved = await procurements.decide(tx, MERCHANT, row.id, "boss", is_approved=True)

    assert (await until_ended(service, approved)).state == "arrived"
    with pytest.raises(Conflict):
        async with service.db.transaction() as tx:
            await procurements.decide(tx, MERCHANT, row.id, "boss", is_approved=False)


async def test_a_refused_procurement_buys_nothing_and_gives_its_budget_back(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool)
    rule = await with_rule(service, pool, approval_above_minor=1, budget_per_day_minor=10**9)
    procurements = service.state["procurements"]
    async with service.db.transaction() as tx:
        await procurements.plan_by(tx, rule, Stand(0, None, None))
    [row] = await rows(service, "procurement")

    async with service.db.transaction() as tx:
        declined = await procurements.decide(
            tx, MERCHANT, row.id, "boss", is_approved=False, reason="too much"
        )

    await work(service)
    assert (declined.state, declined.reason, shop.posts) == ("declined", "too much", [])
    [budget] = await rows(service, "pool_budget")
    assert budget.reserved_minor == 0


async def test_a_rule_buys_no_more_than_the_days_budget_is_enough_for(
    service: Service, vault: RealVault, shop: CodeShop
) -> None:
    pool = await empty_pool(vault)
    await with_offer(service, shop, pool, cost_max_minor=4500)
    rule = await with_rule(service, pool, budget_per_day_minor=3 * 4500)
    procurements = service.state["procurements"]

    async with service.db.transaction() as tx:
        assert await procurements.plan_by(tx, rule, Stand(0, 100.0, 0.0)) == ""
    [row] = await rows(service, "procurement")
    await until_ended(service, await procurement_of(service, row.id))

    async with service.db.transaction() as tx:
        assert await procurements.plan_by(tx, rule, Stand(0, 100.0, 0.0)) == "budget_spent"
    assert (row.quantity, row.explanation["wanted"]) == (3, 50)


async def procurement_of(service: Service, procurement_id: UUID) -> Any:
    async with service.db.read() as tx:
        return await service.state["procurements"].get(tx, MERCHANT, procurement_id)


def test_a_pool_is_low_by_its_cover_or_by_its_number_and_only_then() -> None:
    by_cover = a_rule(new_id(), reorder_point=None, reorder_cover_days=3.0)
    by_number = a_rule(new_id())

    assert is_low(by_cover, Stand(100, 40.0, 2.5))
    assert not is_low(by_cover, Stand(100, 30.0, 3.0))
    assert not is_low(by_cover, Stand(0, None, None))
    assert is_low(by_number, Stand(5, None, None))
    assert not is_low(by_number, Stand(6, None, None))


def test_so_many_are_wanted_that_the_stock_lasts_for_the_target() -> None:
    rule = a_rule(new_id())

    assert wanted_by(rule, Stand(10, 4.0, 2.5)) == 30
    assert wanted_by(rule, Stand(0, 400.0, 0.0)) == rule.quantity_max
    assert wanted_by(rule, Stand(39, 4.0, 9.9)) == rule.quantity_min
    assert wanted_by(replace(rule, quantity_min=7), Stand(0, None, None)) == 7
