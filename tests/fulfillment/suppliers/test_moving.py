"""An account that moves while purchases there are open: nobody there would know of them."""

import asyncio
from typing import Any

import pytest

from kit.errors import Conflict
from kit.service import Service
from tests.fulfillment.conftest import ApiClient, dispatch
from tests.fulfillment.top_ups import (
    accept,
    an_account,
    an_order,
    purchases,
    until_settled,
    with_supplier,
)
from tests.suppliers.simulator import Behaviour, Simulator

ELSEWHERE = {"base_url": "https://elsewhere.example", "secret": "another-secret"}
ANOTHER_ACCOUNT = {"account_id": "shop-18"}


async def an_unknown_purchase(service: Service, simulator: Simulator) -> Any:
    """The supplier of a purchase whose answer was none."""
    account = an_account()
    simulator.behave(account, Behaviour.NEVER_KNOWN)
    supplier = await with_supplier(service, simulator)
    await accept(service, an_order(account))
    for _ in range(100):
        await dispatch(service)
        if [row.state for row in await purchases(service)] == ["unknown"]:
            return supplier
        await asyncio.sleep(0.03)
    raise AssertionError(await purchases(service))


@pytest.mark.parametrize("change", [ELSEWHERE, ANOTHER_ACCOUNT])
async def test_an_account_stays_where_it_is_while_a_purchase_there_is_open(
    buying: Service, simulator: Simulator, api: ApiClient, change: dict[str, str]
) -> None:
    supplier = await an_unknown_purchase(buying, simulator)
    operator = await api("suppliers:write")

    refused = await operator.patch(f"/v1/suppliers/{supplier.id}", json=change)

    assert (refused.status_code, refused.json()["code"]) == (409, "supplier_has_open_purchases")
    same = {"base_url": supplier.base_url, "is_enabled": False, "secret": "rotated-secret"}
    kept = await operator.patch(f"/v1/suppliers/{supplier.id}", json=same)
    assert kept.status_code == 200, kept.text


async def test_an_account_whose_purchases_are_settled_may_move(
    buying: Service, simulator: Simulator, api: ApiClient
) -> None:
    supplier = await with_supplier(buying, simulator)
    await accept(buying, an_order(an_account()))
    await until_settled(buying)
    operator = await api("suppliers:write")

    moved = await operator.patch(f"/v1/suppliers/{supplier.id}", json=ELSEWHERE)

    assert moved.status_code == 200, moved.text


async def test_a_purchase_of_another_account_holds_nobody(
    buying: Service, simulator: Simulator, api: ApiClient
) -> None:
    await an_unknown_purchase(buying, simulator)
    other = await with_supplier(buying, simulator, name="other")
    operator = await api("suppliers:write")

    moved = await operator.patch(f"/v1/suppliers/{other.id}", json=ELSEWHERE)

    assert moved.status_code == 200, moved.text


async def test_an_account_does_not_move_between_its_reading_and_the_call(
    buying: Service, simulator: Simulator
) -> None:
    supplier = await an_unknown_purchase(buying, simulator)
    suppliers = buying.state["suppliers"]

    async def move() -> None:
        async with buying.db.transaction() as tx:
            await suppliers.change(tx, supplier.merchant_id, supplier.id, ANOTHER_ACCOUNT, None)

    async with buying.db.transaction() as tx:
        await suppliers.hold_accounts(tx, [(supplier.merchant_id, supplier.name)])
        moving = asyncio.create_task(move())
        await asyncio.sleep(0.2)
        assert not moving.done()
    with pytest.raises(Conflict):
        await moving
