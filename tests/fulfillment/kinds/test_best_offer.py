"""Top-ups that want the best offer: chosen by what is known, written down once, never dearer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from fulfillment.deliveries.domain import Task
from fulfillment.kinds.top_up.domain import Choice
from fulfillment.kinds.top_up.service import TopUpKind
from fulfillment.purchases.domain import Want
from fulfillment.routing.domain import BUCKET_EDGES_MS
from fulfillment.supplier_products.domain import SupplierProduct
from kit.clock import SystemClock
from kit.ids import new_id
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed
from tests.fulfillment.conftest import dispatch, end_pauses
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT
from tests.fulfillment.top_ups import (
    COST_MAX,
    accept,
    an_account,
    an_offer,
    an_order,
    count,
    purchases,
    until_settled,
    with_supplier,
)
from tests.suppliers.simulator import COST, Behaviour, Simulator, running_simulator

FIRST, SECOND = an_offer("first"), an_offer("second")


@pytest.fixture
async def second() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
async def pair(buying: Service, simulator: Simulator, second: Simulator) -> Service:
    """The service with two suppliers who sell the same."""
    await with_supplier(buying, simulator, "first")
    await with_supplier(buying, second, "second")
    return buying


def best(account: str, *offers: Any, **given: Any) -> Any:
    return an_order(account, *(offers or (FIRST, SECOND)), routing="best", **given)


async def set_up(service: Service, supplier: str, **given: Any) -> None:
    """What the merchant says of this supplier's article, and what its list said last."""
    values = {"currency": "CNY", "cost_max_minor": COST_MAX, **given}
    stock = values.pop("stock", None)
    cost = values.pop("cost_minor", None)
    offer = SupplierProduct(new_id(), MERCHANT, supplier, "CM-50", sku="PHONE-50", **values)
    async with service.db.transaction() as tx:
        made = await service.state["supplier_products"].create(tx, offer)
        await tx.execute(
            text(
                "UPDATE supplier_product SET cost_minor = :cost, stock = :stock, "
                "seen_at = clock_timestamp() WHERE id = :id"
            ),
            {"cost": cost, "stock": stock, "id": made.id},
        )


async def seen(service: Service, supplier: str, outcome: str, number: int) -> None:
    """So often it came out so, in the last hour."""
    async with service.db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO purchase_statistic (merchant_id, supplier, supplier_sku, hour, "
                "outcome, bucket, number) VALUES (:merchant, :supplier, 'CM-50', "
                "date_trunc('hour', clock_timestamp(), 'UTC'), :outcome, 2, :number)"
            ),
            {
                "merchant": MERCHANT,
                "supplier": supplier,
                "outcome": outcome,
                "number": number,
            },
        )


async def shut(service: Service, supplier: str) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO supplier_circuit (merchant_id, supplier, openings, open_until) "
                "VALUES (:merchant, :supplier, 1, clock_timestamp() + interval '1 hour') "
                "ON CONFLICT (merchant_id, supplier) DO UPDATE SET openings = 1, "
                "open_until = excluded.open_until"
            ),
            {"merchant": MERCHANT, "supplier": supplier},
        )


def suppliers_of(told: Any) -> list[str]:
    return [cost.supplier for cost in told.costs]


async def test_the_cheapest_by_landed_cost_is_bought_whatever_the_order(pair: Service) -> None:
    await set_up(pair, "first", cost_minor=4850, fee_minor=20)
    await set_up(pair, "second", cost_minor=4860)
    await accept(pair, best(an_account()))

    [told] = await until_settled(pair)

    assert suppliers_of(told) == ["second"]
    [purchase] = await purchases(pair)
    places = [(it["place"], it["supplier"], it["landed_minor"]) for it in purchase.choice]
    assert places == [(1, "second", 4860), (2, "first", 4870)]


async def test_listed_top_ups_go_by_their_order_and_say_so(pair: Service) -> None:
    await set_up(pair, "first", cost_minor=4890)
    await set_up(pair, "second", cost_minor=4000)
    await accept(pair, an_order(an_account(), FIRST, SECOND, routing="listed"))

    [told] = await until_settled(pair)

    assert suppliers_of(told) == ["first"]
    assert (await purchases(pair))[0].choice is None


async def test_one_that_often_fails_is_not_chosen_for_a_few_cents(pair: Service) -> None:
    await set_up(pair, "first", cost_minor=4850)
    await set_up(pair, "second", cost_minor=4870)
    await seen(pair, "first", "failed", 50)
    await seen(pair, "first", "done", 50)
    await seen(pair, "second", "done", 100)
    await accept(pair, best(an_account()))

    [told] = await until_settled(pair)

    assert suppliers_of(told) == ["second"]
    chosen = (await purchases(pair))[0].choice[0]
    assert (chosen["success_percent"], chosen["p95_ms"]) == (100, BUCKET_EDGES_MS[2])


async def test_what_another_merchant_saw_of_a_supplier_of_the_same_name_does_not_count(
    pair: Service,
) -> None:
    await set_up(pair, "first", cost_minor=4850)
    await set_up(pair, "second", cost_minor=4870)
    async with pair.db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO supplier_circuit (merchant_id, supplier, openings, open_until) "
                "VALUES (:merchant, 'first', 1, clock_timestamp() + interval '1 hour')"
            ),
            {"merchant": OTHER_MERCHANT},
        )
    await accept(pair, best(an_account()))

    [told] = await until_settled(pair)

    assert suppliers_of(told) == ["first"]


async def test_an_open_circuit_an_empty_stock_and_a_low_balance_are_passed_over(
    pair: Service, simulator: Simulator
) -> None:
    await set_up(pair, "first", cost_minor=4000, stock=0)
    await shut(pair, "first")
    await set_up(pair, "second", cost_minor=4890)
    await accept(pair, best(an_account()))

    [told] = await until_settled(pair)

    assert suppliers_of(told) == ["second"]
    assert simulator.posts == []
    [purchase] = await purchases(pair)
    doubts = {it["supplier"]: it["why_not"] for it in purchase.choice}
    assert doubts == {"second": "", "first": "circuit_open"}


async def test_when_every_offer_is_doubtful_suppliers_have_the_last_word(pair: Service) -> None:
    await set_up(pair, "first", cost_minor=4850, stock=0)
    await set_up(pair, "second", cost_minor=4870, stock=0)
    await accept(pair, best(an_account()))

    [told] = await until_settled(pair)

    assert suppliers_of(told) == ["first"]


async def test_the_next_best_is_asked_after_a_definite_no_only(
    pair: Service, simulator: Simulator, second: Simulator
) -> None:
    account = an_account()
    second.behave(account, Behaviour.REFUSED)
    await set_up(pair, "first", cost_minor=4890)
    await set_up(pair, "second", cost_minor=4870)
    await accept(pair, best(account))

    [told] = await until_settled(pair)

    assert isinstance(told, LineDelivered)
    assert suppliers_of(told) == ["first"]
    assert (simulator.charged(account), second.charged(account)) == (1, 0)
    refused, done = await purchases(pair)
    assert [it["supplier"] for it in done.choice] == ["first"]
    assert (refused.generation, done.generation, done.state) == (0, 1, "done")


async def test_an_unknown_outcome_stays_with_its_supplier_whatever_is_best_by_then(
    pair: Service, simulator: Simulator, second: Simulator
) -> None:
    account = an_account()
    second.behave(account, Behaviour.NEVER_KNOWN)
    await set_up(pair, "first", cost_minor=4890)
    await set_up(pair, "second", cost_minor=4870)
    await accept(pair, best(account))
    await dispatch(pair)
    await shut(pair, "second")
    await _first_is_cheap_now(pair)

    for _ in range(4):
        await end_pauses(pair)
        await dispatch(pair)

    assert (simulator.posts, second.charged(account)) == ([], 1)
    [purchase] = await purchases(pair)
    assert (purchase.supplier, purchase.state) == ("second", "unknown")


async def test_a_choice_that_was_written_down_stands_after_a_crash(
    pair: Service, simulator: Simulator, second: Simulator
) -> None:
    account = an_account()
    kind, task = await taken(pair, account)
    begun = await choice_of(kind, task)
    async with pair.db.transaction() as tx:
        # The worker dies behind this commit, before it called anybody.
        await pair.state["purchases"]._repository.add(tx, [begun.purchase])
    await _first_is_cheap_now(pair)

    again = await choice_of(kind, task)
    await pair.state["purchases"].buy(pair.db, [_want(again, account)])

    assert (again.purchase.id, again.purchase.supplier) == (begun.purchase.id, "second")
    assert (simulator.charged(account), second.charged(account)) == (0, 1)


async def test_two_workers_with_the_same_task_buy_of_one_supplier(
    pair: Service, simulator: Simulator, second: Simulator
) -> None:
    account = an_account()
    kind, task = await taken(pair, account)
    slow = await choice_of(kind, task)
    await _first_is_cheap_now(pair)
    quick = await choice_of(kind, task)

    await pair.state["purchases"].buy(pair.db, [_want(quick, account)])
    [bought] = await pair.state["purchases"].buy(pair.db, [_want(slow, account)])

    assert (slow.purchase.supplier, quick.purchase.supplier) == ("second", "first")
    assert bought.purchase.supplier == "first"
    assert (simulator.charged(account), second.charged(account)) == (1, 0)
    assert await count(pair, "purchase") == 1


async def taken(service: Service, account: str) -> tuple[TopUpKind, Task]:
    """A worker's turn at an order whose best offer is the second."""
    await set_up(service, "first", cost_minor=4890)
    await set_up(service, "second", cost_minor=4870)
    await accept(service, best(account))
    offers = service.state["supplier_products"]
    kind = TopUpKind(service.db, service.state["purchases"], offers, SystemClock())
    async with service.db.transaction() as tx:
        [task] = await service.state["tasks"].take(tx, kind, 1)
    return kind, task


async def choice_of(kind: TopUpKind, task: Task) -> Choice:
    [(_, choice)] = await kind._choose([task])
    assert isinstance(choice, Choice)
    return choice


async def _first_is_cheap_now(service: Service) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(
            text("UPDATE supplier_product SET cost_minor = 1 WHERE supplier = 'first'")
        )


def _want(choice: Choice, account: str) -> Want:
    return Want(choice.purchase, account, has_next=choice.has_next)


async def test_the_cost_guard_of_the_order_holds_and_the_lower_ceiling_too(
    pair: Service, simulator: Simulator, second: Simulator
) -> None:
    await set_up(pair, "first", cost_minor=COST, cost_max_minor=COST + 30, fee_minor=10)
    await set_up(pair, "second", cost_minor=COST_MAX + 1, cost_max_minor=COST_MAX + 500)
    await accept(pair, best(an_account()))

    [told] = await until_settled(pair)

    assert suppliers_of(told) == ["first"]
    [purchase] = await purchases(pair)
    assert purchase.cost_max_minor == COST + 20
    [why] = [it["why_not"] for it in purchase.choice if it["supplier"] == "second"]
    assert why == "cost_above_limit"
    assert second.posts == []


async def test_when_nothing_may_be_bought_the_line_fails_with_who_why(
    pair: Service, simulator: Simulator, second: Simulator
) -> None:
    await set_up(pair, "first", cost_minor=COST_MAX + 1, cost_max_minor=COST_MAX + 500)
    await set_up(pair, "second", is_active=False)
    await accept(pair, best(an_account()))

    [told] = await until_settled(pair)

    assert isinstance(told, LineFailed)
    assert told.reason == "no_offer"
    refusals = sorted((it.supplier, it.code) for it in told.refusals)
    assert refusals == [("first", "cost_above_limit"), ("second", "not_active")]
    assert simulator.posts == second.posts == []


async def test_when_all_have_refused_the_line_fails_with_what_each_said(
    pair: Service, simulator: Simulator, second: Simulator
) -> None:
    account = an_account()
    simulator.behave(account, Behaviour.REFUSED)
    second.behave(account, Behaviour.REFUSED)
    await accept(pair, best(account, FIRST, SECOND, an_offer("first")))

    [told] = await until_settled(pair)

    assert isinstance(told, LineFailed)
    assert told.reason == "account_unknown"
    assert sorted(it.supplier for it in told.refusals) == ["first", "second"]
    assert len(simulator.posts) == len(second.posts) == 1
