"""A substitute is sold by its own rules: to this buyer, here, now, within its limits."""

from typing import Any

import httpx
import pytest

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from order.orders.domain import Customer
from order.step_kinds import StepKind, load_kinds
from order.steps.domain import StepState
from tests.order.conftest import Consume, outside_of
from tests.order.factories import SHOP, a_line, an_order, failed, fulfilling, kinds_of
from tests.order.shortages.test_ladder import a_substitute
from tests.order.steps.making import run, steps_of
from tests.order.vaults import ScriptedVault

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
