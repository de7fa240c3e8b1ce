"""A substitute is sold by its own rules: to this buyer, here, now, within its limits."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from kit.db import Database
from kit.ids import new_id
from kit.money import Money
from kit.service import Service
from order.limits import repository
from order.limits import service as limits
from order.limits.domain import Claim, Limit, Per, Use
from order.orders.domain import Customer, Order
from order.step_kinds import StepKind, load_kinds
from order.steps.domain import StepState
from tests.order.conftest import Consume, outside_of
from tests.order.factories import (
    MERCHANT,
    SHOP,
    a_line,
    an_order,
    delivered,
    failed,
    fulfilling,
    kinds_of,
    state_of,
)
from tests.order.shortages.test_ladder import NOTHING_LEFT, a_substitute
from tests.order.steps.making import run, steps_of
from tests.order.vaults import ScriptedVault

PRICE = 1990
TERMS = {"kind": "pool", "shortage": {"substitutes": ["GAME-90"], "back_order_seconds": 0}}


@pytest.fixture
def kinds(service: Service, vault: ScriptedVault) -> dict[str, StepKind]:
    return dict(load_kinds(outside_of(service.db, vault)))


async def tried(db: Database, consume: Consume, kinds: dict[str, StepKind], quantity: int = 1):
    """The step of an order from Germany whose line is short."""
    customer = Customer("buyer-7", ip="203.0.113.7", region="DE")
    line = a_line(terms=TERMS, quantity=quantity)
    order = await fulfilling(db, an_order(lines=[line], customer=customer))
    await consume(failed(order, order.lines[0], "out_of_stock"))
    await run(db, kinds)
    return order, (await steps_of(db, order))[0]


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"regions": {"refused": ["DE"]}}, "region_refused"),
        ({"regions": {"allowed": ["CN"]}}, "region_refused"),
        ({"regions": {"allowed": ["DE"]}}, ""),
        ({"channels": [str(new_id())]}, "not_in_channel"),
        ({"sale_from": "2099-01-01T00:00:00Z"}, "not_on_sale"),
        ({"sale_until": "2020-01-01T00:00:00Z"}, "not_on_sale"),
        ({"quantity_max": 2}, "quantity_out_of_bounds"),
        ({"quantity_max": 3}, ""),
        ({"limits": [{"per": "buyer", "quantity": 2, "window_hours": 1}]}, "limit_reached"),
        ({"limits": [{"per": "device", "quantity": 9, "window_hours": 1}]}, "limit_needs"),
    ],
)
async def test_a_rule_of_the_substitute_holds_for_it(
    db: Database,
    consume: Consume,
    api: httpx.AsyncClient,
    vault: ScriptedVault,
    kinds: dict[str, StepKind],
    rules: dict[str, Any],
    why: str,
) -> None:
    await a_substitute(api, **rules)

    order, step = await tried(db, consume, kinds, quantity=3)

    assert (step.state, step.last_error) == (StepState.FAILED if why else StepState.OK, why)
    assert ("shortage_goes_on" in await kinds_of(db, order)) == bool(why)
    assert bool(vault.holds) == (not why)


async def test_a_channel_that_does_not_sell_it_gives_no_substitute(
    db: Database, consume: Consume, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await a_substitute(api)
    await api.patch(f"/v1/channels/{SHOP}", json={"denied_skus": ["GAME-90"]})

    _, step = await tried(db, consume, kinds)

    assert (step.state, step.last_error) == (StepState.FAILED, "not_sold_here")


@pytest.mark.parametrize(
    ("cost", "fee", "floor", "why"),
    [
        (PRICE, 0, None, ""),
        (PRICE + 1, 0, None, "below_margin_floor"),
        # What the channel keeps of the price does not count as brought.
        (PRICE - 90, 90, None, ""),
        (PRICE - 89, 90, None, "below_margin_floor"),
        # A floor rule asks for a tenth above what its units cost in the vault.
        (None, 0, PRICE * 10 // 11, ""),
        (None, 0, PRICE * 10 // 11 + 1, "below_margin_floor"),
    ],
)
async def test_a_substitute_must_bring_its_margin_floor_at_the_lines_price(
    db: Database,
    consume: Consume,
    api: httpx.AsyncClient,
    vault: ScriptedVault,
    kinds: dict[str, StepKind],
    cost: int | None,
    fee: int,
    floor: int | None,
    why: str,
) -> None:
    pool_id = str(new_id())
    stated = {"cost": {"amount": cost, "currency": "CNY"}} if cost else {}
    await a_substitute(api, fulfillment={"kind": "pool", "pool_id": pool_id}, **stated)
    if floor is not None:
        vault.pools[pool_id] = [(floor, 5)]
        rule = await api.post("/v1/margin-floors", json={"name": "Margin", "basis_points": 1000})
        assert rule.status_code == 201, rule.text
    line = a_line(terms=TERMS, total=Money(PRICE, "CNY"), fee_minor=fee)
    order = await fulfilling(db, an_order(lines=[line]))
    await consume(failed(order, line, "out_of_stock"))

    await run(db, kinds)

    [step, *_] = await steps_of(db, order)
    assert (step.state, step.last_error) == (StepState.FAILED if why else StepState.OK, why)
    assert bool(vault.holds) == (not why)


async def test_substitutes_held_at_once_count_together(
    db: Database,
    consume: Consume,
    api: httpx.AsyncClient,
    vault: ScriptedVault,
    kinds: dict[str, StepKind],
) -> None:
    await a_substitute(api, limits=[{"per": "buyer", "quantity": 1, "window_hours": 1}])
    orders = [await fulfilling(db, an_order(lines=[a_line(terms=TERMS)])) for _ in range(4)]
    await consume(*(failed(order, order.lines[0], "out_of_stock") for order in orders))

    await run(db, kinds)
    await run(db, kinds)  # what was held for nothing goes back

    refused = ["shortage_goes_on" in await kinds_of(db, order) for order in orders]
    assert sorted(refused) == [False, True, True, True]
    assert len(vault.holds) == 1


async def test_a_substitute_counts_against_what_its_buyer_asks_for_later(
    db: Database, consume: Consume, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    await a_substitute(api, limits=[{"per": "buyer", "quantity": 1, "window_hours": 1}])

    _, first = await tried(db, consume, kinds)
    _, second = await tried(db, consume, kinds)

    assert first.state is StepState.OK
    assert (second.state, second.last_error) == (StepState.FAILED, "limit_reached")


async def short(
    db: Database, consume: Consume, kinds: dict[str, StepKind], *quantities: int, **given: Any
) -> Order:
    """An order whose lines, so many of each, are all short and get a substitute where they may."""
    lines = [
        a_line(line_no=number, terms=TERMS, quantity=quantity, **given)
        for number, quantity in enumerate(quantities, 1)
    ]
    order = await fulfilling(db, an_order(lines=lines))
    await consume(*(failed(order, line, "out_of_stock") for line in order.lines))
    for _ in range(2):
        # The first rung of an order of several lines is the line's own product, held alone.
        await run(db, kinds)
    return order


async def used(db: Database, product_id: str) -> int:
    """So much of it counts against the buyer's limit."""
    key = ((UUID(product_id), Per.BUYER, "buyer-7"), 1)
    async with db.read([MERCHANT]) as tx:
        return (await repository.used(tx, [key])).get(key, 0)


async def made(api: httpx.AsyncClient, sku: str) -> str:
    """The id of a product of which a buyer may have nine an hour."""
    body = {
        "sku": sku,
        "name": "Other card",
        "fulfillment": {"kind": "pool", "pool_id": str(new_id())},
        "price": {"amount": 9990, "currency": "CNY"},
        "limits": [{"per": "buyer", "quantity": 9, "window_hours": 1}],
    }
    answer = await api.post("/v1/products", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def take(db: Database, order: Order, product_id: str, quantity: int) -> None:
    """As when the order was placed."""
    subject = (UUID(product_id), Per.BUYER, order.customer.id)
    claim = Claim(subject, "GAME-100", Limit(Per.BUYER, 9, 1), quantity, "/lines")
    async with db.transaction([order.merchant_id]) as tx:
        await limits.record(tx, [Use(order.merchant_id, order.id, claim)])


async def test_two_lines_of_one_order_that_get_the_same_substitute_both_count(
    db: Database,
    consume: Consume,
    api: httpx.AsyncClient,
    kinds: dict[str, StepKind],
    vault: ScriptedVault,
) -> None:
    substitute = await made(api, "GAME-90")
    vault.results = [NOTHING_LEFT] * 2  # neither line is held alone

    order = await short(db, consume, kinds, 2, 3)

    told = [line.instead.get("sku") for line in (await state_of(db, order)).lines]
    assert told == ["GAME-90", "GAME-90"]
    assert await used(db, substitute) == 5


async def test_what_a_substitute_was_given_for_does_not_count_as_bought(
    db: Database, consume: Consume, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    ordered = await made(api, "GAME-100")
    substitute = await made(api, "GAME-90")
    order = await short(db, consume, kinds, 2, product_id=UUID(ordered))
    await take(db, order, ordered, 2)

    before = await used(db, ordered), await used(db, substitute)
    await consume(delivered(order, order.lines[0], round=2))

    assert before == (0, 2)
    assert (await used(db, ordered), await used(db, substitute)) == (0, 2)


async def test_what_was_delivered_beside_a_substitute_still_counts(
    db: Database,
    consume: Consume,
    api: httpx.AsyncClient,
    kinds: dict[str, StepKind],
) -> None:
    ordered = await made(api, "GAME-100")
    await made(api, "GAME-90")
    lines = [
        a_line(line_no=number, terms=TERMS, quantity=number, product_id=UUID(ordered))
        for number in (1, 2)
    ]
    order = await fulfilling(db, an_order(lines=lines))
    await take(db, order, ordered, 3)
    await consume(delivered(order, order.lines[0]))
    await consume(failed(order, order.lines[1], "out_of_stock"))

    await run(db, kinds)

    assert (await state_of(db, order)).lines[1].instead["sku"] == "GAME-90"
    assert await used(db, ordered) == 1


async def test_a_substitute_that_fails_as_well_counts_no_more(
    db: Database, consume: Consume, api: httpx.AsyncClient, kinds: dict[str, StepKind]
) -> None:
    substitute = await made(api, "GAME-90")
    order = await short(db, consume, kinds, 2)
    assert await used(db, substitute) == 2

    await consume(failed(order, order.lines[0], "out_of_stock", round=2))

    assert await used(db, substitute) == 0
