"""The blocking client is the asynchronous one: nothing is missing, nothing differs."""

import inspect
import typing

import pytest

from lockstock_client import Lockstock, SyncLockstock
from lockstock_client.blocking import Blocking, Listing, run
from lockstock_client.delivery import BuyerPage
from lockstock_client.sync import SyncBuyerPage
from lockstock_client.transport import Service
from tests.client.scripted import ok, serving


def groups() -> list[tuple[object, object]]:
    """(group of the asynchronous client, its twin)"""
    both = Lockstock("key"), SyncLockstock("key")
    found = [
        (group, getattr(both[1], name))
        for name, group in vars(both[0]).items()
        if not name.startswith("_") and name != "sender"
    ]
    assert len(found) > 15
    return [*found, (BuyerPage(typing.cast(Service, None)), SyncBuyerPage(None))]


def methods_of(group: object) -> dict[str, typing.Any]:
    return {
        name: method
        for name, method in inspect.getmembers(type(group), inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(("group", "twin"), groups(), ids=lambda it: type(it).__name__)
def test_every_method_has_a_twin_that_runs_it(group, twin):
    for name, method in methods_of(group).items():
        blocking = inspect.getattr_static(twin, name, None)
        is_listing = inspect.isasyncgenfunction(method)

        assert isinstance(blocking, Listing if is_listing else Blocking), name
        assert blocking.method is method, name
        assert getattr(twin, name).__doc__ == method.__doc__


@pytest.mark.parametrize(("group", "twin"), groups(), ids=lambda it: type(it).__name__)
def test_every_method_says_what_it_does(group, twin):
    assert [name for name, method in methods_of(group).items() if not method.__doc__] == []


async def test_what_waits_past_its_sender_is_found_out():
    async with serving(ok({})) as server, Lockstock("key", {"order": server.url}) as shop:
        work = shop.orders.get("o-1")
        with pytest.raises(AssertionError, match="suspended"):
            run(work)


def test_a_listing_that_is_left_early_ends_its_pages():
    with SyncLockstock("key", {"order": "http://127.0.0.1:1"}) as shop:
        orders = shop.orders.all()
        assert inspect.isgenerator(orders)

        orders.close()

        assert list(orders) == []
